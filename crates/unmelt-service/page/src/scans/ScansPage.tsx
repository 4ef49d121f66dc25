import { useState } from 'preact/hooks';
import { api, asProblem, type Problem, type VolumesModel } from '../api.ts';
import { commandsOf } from '../lib/commands.ts';
import { CopyAs } from '../parts/CopyAs.tsx';
import { Icon } from '../parts/Icon.tsx';
import { JobHead } from '../parts/JobHead.tsx';
import { PlanDetails, PlanLine } from '../parts/PlanLine.tsx';
import { ProblemBox } from '../parts/ProblemBox.tsx';
import { go } from '../state/route.ts';
import { volumeModels } from '../state/session.ts';
import { usePlan } from '../state/use-plan.ts';
import { useWatched } from '../state/use-watched.ts';
import { FileDrop } from './FileDrop.tsx';
import { emptyScanForm, scanRequestOf, type ScanForm, type Sent } from './form.ts';
import { ScanOutcome } from './Outcome.tsx';
import { Preview } from './Preview.tsx';
import { Sharpening } from './Sharpening.tsx';
import { TaskForm } from './TaskForm.tsx';
import { Understood } from './Understood.tsx';

/** Where a radiologist drops a scan, and compares before and after. */
export function ScansPage({ id }: { id: string | null }) {
  const [first] = volumeModels();
  if (first === undefined) return <p class="empty">This service has no model of scans.</p>;
  return <Page id={id} model={first} />;
}

function namesOf(files: (Sent | null)[]): Record<string, string> {
  return Object.fromEntries(files.flatMap((sent) => (sent === null ? [] : [[sent.upload.id, sent.label]])));
}

function Page({ id, model }: { id: string | null; model: VolumesModel }) {
  const [form, setForm] = useState<ScanForm>(() => emptyScanForm(model));
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isSending, setSending] = useState(false);
  const watched = useWatched(id);
  const request = scanRequestOf(form, model);
  const planned = usePlan(request);
  const job = watched?.job.value ?? null;
  const state = watched?.state.value ?? null;
  const change = (part: Partial<ScanForm>) => setForm((old) => ({ ...old, ...part }));

  const submit = async () => {
    if (request === null) return;
    setSending(true);
    setProblem(null);
    try {
      go('scans', (await api.submit(request)).id);
    } catch (error) {
      setProblem(asProblem(error));
    }
    setSending(false);
  };
  const hasScan = form.scan?.upload.understood.kind === 'volume';

  return (
    <div class="two-parts">
      <div class="request">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          <h1>Scans</h1>
          <p class="caution">
            Not a medical device, not for diagnosis. What was not measured is the model's guess.
          </p>
          <FileDrop
            label="Drop a brain MRI here"
            hint="NIfTI, a DICOM folder, or a zip of one. File names are not sent."
            sent={form.scan}
            takesFolder
            onSent={(scan) => {
              change({ scan, series: 0 });
              go('scans');
            }}
          />
          {form.scan !== null && (
            <Understood
              upload={form.scan.upload}
              series={form.series}
              onChange={(series) => change({ series })}
            />
          )}
          {hasScan && (
            <>
              <TaskForm form={form} model={model} planned={planned} onChange={change} />
              {planned.plan !== null && <PlanDetails plan={planned.plan} />}
              {planned.problem !== null && <ProblemBox problem={planned.problem} />}
              <div class="submit">
                {planned.plan !== null && <PlanLine plan={planned.plan} />}
                <button
                  type="submit"
                  class="primary"
                  disabled={request === null || planned.problem !== null || isSending}
                >
                  <Icon name="play" />
                  Enhance
                </button>
              </div>
            </>
          )}
        </form>
        {problem !== null && <ProblemBox problem={problem} />}
        {request !== null && (
          <CopyAs
            commands={commandsOf(request, location.origin, {
              names: namesOf([form.scan, form.mask, form.truth]),
              solver: null,
            })}
          />
        )}
      </div>
      <div class="outcome-part">
        {job !== null && watched !== null && (
          <>
            <JobHead job={job} problem={watched.problem.value} />
            {state?.kind === 'slice' && <Sharpening state={state} />}
            <ScanOutcome job={job} />
          </>
        )}
        {id !== null && job === null && watched?.problem.value && (
          <ProblemBox problem={watched.problem.value} />
        )}
        {id === null && form.scan !== null && hasScan && (
          <Preview url={api.uploadViewUrl(form.scan.upload.id, form.series)} />
        )}
        {id === null && form.scan === null && <Empty model={model} />}
      </div>
    </div>
  );
}

function Empty({ model }: { model: VolumesModel }) {
  return (
    <div class="welcome">
      <h2>Before and after, with an interval for each voxel</h2>
      <p>
        The model {model.name} was trained on {model.trained_on}. Other organs and CT are outside of it.
      </p>
    </div>
  );
}
