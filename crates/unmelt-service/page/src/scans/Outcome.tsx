import { api, type Artifact, type Job, type VolumesOutcome } from '../api.ts';
import { bytes, moment, number } from '../lib/format.ts';
import { Icon } from '../parts/Icon.tsx';
import { Compare } from './Compare.tsx';
import { SendTo } from './SendTo.tsx';

/** The derived DICOM series, which there is where DICOM came in. */
const DERIVED = 'derived.zip';

/** What the files of a scan are. */
const NAMES: Record<string, string> = {
  'output.nii.gz': 'Enhanced scan, NIfTI',
  [DERIVED]: 'Derived DICOM series',
  'deviation.nii.gz': 'Standard deviation',
  'low.nii.gz': 'Lower end of the 90 % interval',
  'high.nii.gz': 'Upper end of the 90 % interval',
  'difference.nii.gz': 'Difference map',
  'input.nii.gz': 'The scan as it was read',
  'report.json': 'Numbers and request',
};

/** A scan that was enhanced: before and after, numbers, files. */
export function ScanOutcome({ job }: { job: Job }) {
  const url = (name: string) =>
    job.artifacts.some((artifact) => artifact.name === name) ? api.artifactUrl(job.id, name) : null;
  const [before, after] = [url('input.nii.gz'), url('output.nii.gz')];
  const outcome = job.outcome?.kind === 'volumes' ? job.outcome : null;
  return (
    <>
      {before !== null && after !== null && (
        <Compare
          before={before}
          after={after}
          difference={url('difference.nii.gz')}
          deviation={url('deviation.nii.gz')}
          isCalibrated={outcome?.calibrated ?? false}
        />
      )}
      <div class="scan-under">
        {outcome !== null && <Measures outcome={outcome} />}
        {job.artifacts.length > 0 && <Files job={job} />}
        {job.artifacts.some(({ name }) => name === DERIVED) && <SendTo job={job.id} />}
      </div>
    </>
  );
}

function Measures({ outcome }: { outcome: VolumesOutcome }) {
  return (
    <section class="measures" aria-label="Numbers">
      <h2>Numbers</h2>
      <dl>
        {outcome.measures.map(({ name, label, value, unit, meaning }) => (
          <div key={name}>
            <dt>{label}</dt>
            <dd>
              <strong>
                {number(value)} <span class="unit">{unit}</span>
              </strong>
              <span class="note">{meaning}</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Files({ job }: { job: Job }) {
  const [first] = job.artifacts;
  const rank = ({ name }: Artifact) => (name in NAMES ? Object.keys(NAMES).indexOf(name) : NaN);
  const files = job.artifacts.filter(({ name }) => name in NAMES).sort((a, b) => rank(a) - rank(b));
  return (
    <section class="files" aria-label="Files">
      <h2>Files</h2>
      <ul>
        {files.map((artifact) => (
          <li key={artifact.name}>
            <a href={api.artifactUrl(job.id, artifact.name)} download={artifact.name}>
              <Icon name="download" />
              {NAMES[artifact.name]}
            </a>
            <span class="unit">{bytes(artifact.bytes)}</span>
          </li>
        ))}
      </ul>
      {first?.expires_at && !job.pinned && (
        <p class="note">Kept until {moment(first.expires_at)}, unless the job is pinned.</p>
      )}
    </section>
  );
}
