import { useState } from 'preact/hooks';
import { Field } from '../parts/Field.tsx';

interface Props {
  isDisabled: boolean;
  /** Takes an SDF record of what was typed. */
  onRead: (sdf: string) => void;
}

/** A molecule by its SMILES, which is given a geometry here in the browser. */
export function SmilesField({ isDisabled, onRead }: Props) {
  const [smiles, setSmiles] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const read = async () => {
    try {
      const { embed } = await import('./embed.ts');
      onRead(await embed(smiles.trim()));
      setFault(null);
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Field label="or a SMILES" fault={fault}>
      {(id, note) => (
        <div class="beside">
          <input
            id={id}
            type="text"
            placeholder="c1ccncc1"
            spellcheck={false}
            aria-describedby={note}
            value={smiles}
            onInput={(event) => setSmiles(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter') return;
              event.preventDefault();
              void read();
            }}
          />
          <button type="button" disabled={isDisabled || smiles.trim() === ''} onClick={() => void read()}>
            Read
          </button>
        </div>
      )}
    </Field>
  );
}
