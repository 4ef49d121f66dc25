import { useEffect, useState } from 'preact/hooks';
import {
  api,
  asProblem,
  type MoleculeResult,
  type MoleculeRole,
  type MoleculesModel,
  type Outcome,
  type Problem,
} from '../api.ts';
import { counted, percent } from '../lib/format.ts';
import { commandsOf } from '../lib/commands.ts';
import { CopyAs } from '../parts/CopyAs.tsx';
import { JobHead } from '../parts/JobHead.tsx';
import { ProblemBox } from '../parts/ProblemBox.tsx';
import { go } from '../state/route.ts';
import { moleculeModels } from '../state/session.ts';
import { usePlan } from '../state/use-plan.ts';
import { useWatched } from '../state/use-watched.ts';
import { emptyForm, formOf, requestOf, USUAL_STRENGTH, type MoleculesForm } from './form.ts';
import { RequestForm } from './RequestForm.tsx';
import { Results } from './Results.tsx';
import { Welcome } from './Welcome.tsx';

/** Where a chemist asks for molecules, and watches them come. */
export function MoleculesPage({ id }: { id: string | null }) {
  const [first] = moleculeModels();
  if (first === undefined) return <p class="empty">This service has no model of molecules.</p>;
  return <Page id={id} first={first} />;
}

function outcomeOf(outcome: Outcome | null): string | null {
  if (outcome?.kind !== 'molecules') return null;
  const { kept, drawn, valid, connected, unique, novel } = outcome;
  const parts = [
    `${percent(valid)} valid`,
    `${percent(connected)} in one piece`,
    `${percent(unique)} unique`,
  ];
  if (novel !== null) parts.push(`${percent(novel)} not in the training data`);
  return `${counted(kept, 'molecule')} kept of ${drawn} drawn; of those drawn ${parts.join(', ')}.`;
}

function Page({ id, first }: { id: string | null; first: MoleculesModel }) {
  const [form, setForm] = useState<MoleculesForm>(() => emptyForm(first));
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isSending, setSending] = useState(false);
  const watched = useWatched(id);
  const model = moleculeModels().find(({ name }) => name === form.model) ?? first;
  const request = requestOf(form, model);
  const planned = usePlan(request);
  const job = watched?.job.value ?? null;
  const made = job?.request.kind === 'molecules.generate' ? job.request : null;
  const madeBy = moleculeModels().find(({ name }) => name === made?.model) ?? model;

  // A job that is opened from the list or by its address fills the form in.
  useEffect(() => {
    if (made !== null && made.from === null) setForm(formOf(made, madeBy));
  }, [job?.id]);

  const change = (part: Partial<MoleculesForm>) => setForm((old) => ({ ...old, ...part }));
  const submit = async () => {
    if (request === null) return;
    setSending(true);
    setProblem(null);
    try {
      go('molecules', (await api.submit(request)).id);
    } catch (error) {
      setProblem(asProblem(error));
    }
    setSending(false);
  };
  const use = async (molecule: MoleculeResult, role: MoleculeRole) => {
    try {
      const name = `molecule-${molecule.number}.sdf`;
      const upload = await api.upload(name, new Blob([molecule.sdf]), 'chemical/x-mdl-sdfile');
      change({ start: role, upload, records: [0], attach: [], strength: USUAL_STRENGTH });
      document.querySelector('.request')?.scrollIntoView({ block: 'start' });
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const state = watched?.state.value ?? null;
  const names = form.upload === null ? {} : { [form.upload.id]: form.upload.name };
  const solver = form.solver === '' ? null : form.solver;

  return (
    <div class="two-parts">
      <div class="request">
        <RequestForm
          form={form}
          model={model}
          planned={planned}
          canSubmit={request !== null && planned.problem === null && !isSending}
          onChange={change}
          onSubmit={() => void submit()}
        />
        {problem !== null && <ProblemBox problem={problem} />}
        {request !== null && <CopyAs commands={commandsOf(request, location.origin, { names, solver })} />}
      </div>
      <div class="outcome-part">
        {id === null && <Welcome />}
        {job !== null && watched !== null && (
          <>
            <JobHead job={job} problem={watched.problem.value} outcome={outcomeOf(job.outcome)} />
            <Results
              key={job.id}
              job={job}
              molecules={watched.molecules.value}
              state={state?.kind === 'molecule' ? state : null}
              model={madeBy}
              onUse={(molecule, role) => void use(molecule, role)}
            />
          </>
        )}
        {id !== null && job === null && watched?.problem.value && (
          <ProblemBox problem={watched.problem.value} />
        )}
      </div>
    </div>
  );
}
