import type { MoleculeResult } from '../api.ts';
import { number } from '../lib/format.ts';
import type { Column } from '../lib/table.ts';
import { Depiction } from '../parts/Depiction.tsx';

export interface ListProps {
  molecules: MoleculeResult[];
  columns: Column[];
  /** Number of the molecule that is looked at. */
  current: number | null;
  selected: ReadonlySet<number>;
  onLook: (number: number) => void;
  onSelect: (number: number, isSelected: boolean) => void;
}

/** The molecules as drawings. */
export function Gallery({ molecules, columns, current, selected, onLook, onSelect }: ListProps) {
  const shown = columns.filter(({ name }) => name !== 'atoms' && name !== 'rings').slice(0, 2);
  return (
    <ul class="gallery">
      {molecules.map((molecule) => (
        <li
          key={molecule.number}
          class={`card ${molecule.number === current ? 'is-current' : ''} ${selected.has(molecule.number) ? 'is-selected' : ''}`}
        >
          <button
            type="button"
            class="card-look"
            aria-pressed={molecule.number === current}
            aria-label={`Molecule ${molecule.number}, ${molecule.formula}`}
            onClick={() => onLook(molecule.number)}
          >
            <Depiction sdf={molecule.sdf} smiles={molecule.smiles} />
            <span class="card-name">
              <Formula text={molecule.formula} />
              {!(molecule.valid && molecule.connected) && <span class="flag">{faultOf(molecule)}</span>}
            </span>
            <span class="card-numbers">
              {shown.map((column) => (
                <span key={column.name}>
                  {column.label} {number(column.of(molecule))}
                </span>
              ))}
            </span>
          </button>
          <label class="card-select">
            <input
              type="checkbox"
              checked={selected.has(molecule.number)}
              aria-label={`Select molecule ${molecule.number}`}
              onChange={(event) => onSelect(molecule.number, event.currentTarget.checked)}
            />
          </label>
        </li>
      ))}
    </ul>
  );
}

/** What is wrong with a molecule, in a word. */
export function faultOf(molecule: MoleculeResult): string {
  return molecule.connected ? 'invalid valence' : 'in pieces';
}

/** "C7H10O2" with its counts set low. */
export function Formula({ text }: { text: string }) {
  return (
    <span class="formula">
      {text.split(/(\d+)/).map((part) => (/^\d/.test(part) ? <sub>{part}</sub> : part))}
    </span>
  );
}
