import { useState } from 'preact/hooks';
import { api, asProblem, type Problem, type Upload, type UploadedRecord } from '../api.ts';
import { Depiction } from '../parts/Depiction.tsx';
import { ProblemBox } from '../parts/ProblemBox.tsx';
import { Viewer } from '../parts/Viewer.tsx';
import { SmilesField } from './SmilesField.tsx';
import type { MoleculesForm } from './form.ts';

interface Props {
  form: MoleculesForm;
  onChange: (change: Partial<MoleculesForm>) => void;
}

const SDF = 'chemical/x-mdl-sdfile';

const ASKED: Record<string, string> = {
  scaffold: 'Scaffold to keep',
  link: 'Fragments to link, in their places',
  vary: 'Molecule to vary',
};

/** Records that are taken at first: all to link, else the first. */
export function firstRecords(start: MoleculesForm['start'], upload: Upload): number[] {
  if (upload.understood.kind !== 'molecules') return [];
  const all = upload.understood.records.map(({ index }) => index);
  return start === 'link' ? all : all.slice(0, 1);
}

/** The molecules that the rest is grown on, and the atoms that may bear it. */
export function StartingMolecules({ form, onChange }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isReading, setReading] = useState(false);

  const read = async (name: string, body: Blob) => {
    setReading(true);
    setProblem(null);
    try {
      const upload = await api.upload(name, body, SDF);
      onChange({ upload, records: firstRecords(form.start, upload), attach: [] });
    } catch (error) {
      setProblem(asProblem(error));
    }
    setReading(false);
  };
  const records = form.upload?.understood.kind === 'molecules' ? form.upload.understood.records : [];
  const taken = records.filter(({ index }) => form.records.includes(index));

  return (
    <div class="starting">
      <p class="starting-name">
        {ASKED[form.start]}
        {form.upload !== null && <span class="unit"> {form.upload.name}</span>}
      </p>
      <label class="file-button">
        <input
          type="file"
          accept=".sdf,.mol"
          class="unseen"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file !== undefined) void read(file.name, file);
          }}
        />
        <span>
          {isReading ? 'Reading' : form.upload === null ? 'Choose an SDF or MOL file' : 'Choose another file'}
        </span>
      </label>
      <SmilesField isDisabled={isReading} onRead={(sdf) => void read('molecule.sdf', new Blob([sdf]))} />
      {problem !== null && <ProblemBox problem={problem} />}
      {form.upload?.understood.warnings.map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
      {records.length > 1 && (
        <Records
          records={records}
          taken={form.records}
          isSeveral={form.start === 'link'}
          onChange={(next) => onChange({ records: next, attach: [] })}
        />
      )}
      {taken.length > 0 && form.start !== 'vary' && (
        <Attachment records={taken} attach={form.attach} onChange={(attach) => onChange({ attach })} />
      )}
      {form.start === 'vary' && taken[0] !== undefined && (
        <Depiction sdf={taken[0].sdf} smiles={taken[0].smiles} />
      )}
    </div>
  );
}

interface RecordsProps {
  records: UploadedRecord[];
  taken: number[];
  isSeveral: boolean;
  onChange: (taken: number[]) => void;
}

function Records({ records, taken, isSeveral, onChange }: RecordsProps) {
  const toggle = (index: number) => {
    if (!isSeveral) onChange([index]);
    else if (taken.includes(index)) onChange(taken.filter((other) => other !== index));
    else onChange([...taken, index].sort((a, b) => a - b));
  };
  return (
    <fieldset class="records">
      <legend>Records of the file</legend>
      {records.map((record) => (
        <label key={record.index}>
          <input
            type={isSeveral ? 'checkbox' : 'radio'}
            name="record"
            checked={taken.includes(record.index)}
            onChange={() => toggle(record.index)}
          />
          {record.title || record.smiles} <span class="unit">{record.formula}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface AttachmentProps {
  records: UploadedRecord[];
  attach: number[];
  onChange: (attach: number[]) => void;
}

/** Atoms that may bear what is new, picked in the 3-D view or from the list. */
function Attachment({ records, attach, onChange }: AttachmentProps) {
  const shifts = records.map((_, k) => records.slice(0, k).reduce((sum, record) => sum + record.atoms, 0));
  const all = records.flatMap((record, k) => record.attachable.map((atom) => atom + (shifts[k] ?? 0)));
  const toggle = (atom: number) => {
    if (!all.includes(atom)) return;
    onChange(
      attach.includes(atom)
        ? attach.filter((other) => other !== atom)
        : [...attach, atom].sort((a, b) => a - b),
    );
  };
  return (
    <div class="attachment">
      <Viewer
        records={records.map(({ sdf }) => sdf)}
        label="Click the atoms that may bear what is new"
        picked={attach}
        pickable={all}
        onPick={toggle}
      />
      <fieldset class="atoms">
        <legend>
          {attach.length === 0
            ? 'Grows from every atom with an open valence. Click atoms to choose them.'
            : 'Grows from the atoms chosen'}
        </legend>
        {all.map((atom) => (
          <label key={atom} class={attach.includes(atom) ? 'is-chosen' : ''}>
            <input
              type="checkbox"
              class="unseen"
              checked={attach.includes(atom)}
              onChange={() => toggle(atom)}
            />
            {atom + 1}
          </label>
        ))}
      </fieldset>
    </div>
  );
}
