import { createHash, randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Artifact, Job, JobRequest, JobState, MoleculeResult } from '../../src/api.ts';
import { molecules, scans, trajectory } from './fixtures.ts';
import { difference, middleSlice } from './nifti.ts';
import { planOf } from './plan.ts';

interface Kept {
  job: Job;
  events: string[];
  hearers: Set<ServerResponse>;
  files: Map<string, { body: Buffer; type: string }>;
  molecules: MoleculeResult[];
  timer: NodeJS.Timeout | null;
}

const STEPS = 30;
const RETENTION = 14 * 24 * 3600 * 1000;

/** Jobs in memory that pretend to work, one beat after another. */
export class Jobs {
  readonly kept = new Map<string, Kept>();
  private readonly beat: number;
  private holdAt: number | null;
  private readonly isDicom: (upload: string) => boolean;

  /** Milliseconds from one step to the next, the step at which jobs wait until they are released, and which uploads are DICOM. */
  constructor(beat: number, holdAt: number | null, isDicom: (upload: string) => boolean) {
    this.isDicom = isDicom;
    this.beat = beat;
    this.holdAt = holdAt;
  }

  /** Lets jobs that wait go on; later ones do not wait. */
  release() {
    const held = this.holdAt;
    this.holdAt = null;
    for (const kept of this.kept.values()) {
      if (held !== null && kept.timer === null && kept.job.state === 'running') this.step(kept, held + 1);
    }
  }

  submit(request: JobRequest, id: string = randomUUID()): Job {
    const plan = planOf(request);
    const job: Job = {
      id,
      owner: 'anna',
      state: 'queued',
      position: 0,
      progress: null,
      estimate_seconds: plan.estimate_seconds,
      submitted_at: new Date().toISOString(),
      started_at: null,
      ended_at: null,
      request,
      plan,
      outcome: null,
      artifacts: [],
      error: null,
      pinned: false,
    };
    const kept: Kept = { job, events: [], hearers: new Set(), files: new Map(), molecules: [], timer: null };
    this.kept.set(id, kept);
    this.later(kept, () => this.begin(kept));
    return job;
  }

  get(id: string): Kept | undefined {
    return this.kept.get(id);
  }

  cancel(kept: Kept) {
    if (kept.job.state === 'queued' || kept.job.state === 'running') this.end(kept, 'cancelled');
  }

  forget(kept: Kept) {
    this.kept.delete(kept.job.id);
  }

  /** Loses the connections of all who hear something; they come back by themselves. */
  drop() {
    for (const kept of this.kept.values()) {
      kept.hearers.forEach((response) => response.destroy());
      kept.hearers.clear();
    }
  }

  /** Streams the events after a number, and those to come. */
  hear(kept: Kept, response: ServerResponse, after: number) {
    response.write('retry: 100\n\n' + kept.events.slice(after).join(''));
    if (kept.job.ended_at !== null) response.end();
    else kept.hearers.add(response);
    response.on('close', () => kept.hearers.delete(response));
  }

  stop() {
    for (const kept of this.kept.values()) {
      if (kept.timer !== null) clearTimeout(kept.timer);
      kept.hearers.forEach((response) => response.end());
    }
  }

  private later(kept: Kept, work: () => void) {
    kept.timer = setTimeout(work, this.beat);
  }

  private tell(kept: Kept, name: string, body: unknown) {
    const text = `id: ${kept.events.length + 1}\nevent: ${name}\ndata: ${JSON.stringify(body)}\n\n`;
    kept.events.push(text);
    kept.hearers.forEach((response) => response.write(text));
  }

  private begin(kept: Kept) {
    const { job } = kept;
    job.state = 'running';
    job.position = null;
    job.started_at = new Date().toISOString();
    this.step(kept, 0);
  }

  private step(kept: Kept, step: number) {
    const { job } = kept;
    const request = job.request;
    const samples = request.kind === 'molecules.generate' ? request.count : 1;
    const isDone = step >= STEPS;
    job.progress = { phase: 'sampling', step, steps: STEPS, finished: kept.molecules.length, samples };
    job.estimate_seconds = ((STEPS - step) / STEPS) * (job.plan.estimate_seconds ?? 0);
    const { state, position, progress, estimate_seconds } = job;
    this.tell(kept, 'progress', { state, position, progress, estimate_seconds });
    if (request.kind === 'molecules.generate') this.stepMolecules(kept, step, samples);
    if (request.kind === 'volumes.enhance' && !isDone) {
      const slice = middleSlice(scans.scan, scans.output, step / STEPS);
      this.tell(kept, 'state', { kind: 'slice', step, steps: STEPS, plane: 'axial', aspect: 1, ...slice });
    }
    kept.timer = null;
    if (isDone) this.end(kept, 'finished');
    else if (step === this.holdAt) return;
    else this.later(kept, () => this.step(kept, step + 1));
  }

  private stepMolecules(kept: Kept, step: number, samples: number) {
    const frame = trajectory[Math.min(trajectory.length - 1, step)];
    if (step < STEPS && frame !== undefined) {
      this.tell(kept, 'state', { kind: 'molecule', number: 0, step, steps: STEPS, ...frame });
    }
    const due = Math.floor((samples * Math.max(0, step - STEPS / 2)) / (STEPS / 2));
    while (kept.molecules.length < due) {
      const number = kept.molecules.length;
      const known = molecules[number % molecules.length];
      if (known === undefined) return;
      const molecule = { ...known, number, sample: number };
      kept.molecules.push(molecule);
      this.tell(kept, 'molecule', molecule);
    }
  }

  private end(kept: Kept, state: JobState) {
    const { job } = kept;
    if (kept.timer !== null) clearTimeout(kept.timer);
    job.state = state;
    job.position = null;
    job.ended_at = new Date().toISOString();
    job.estimate_seconds = null;
    if (job.request.kind === 'molecules.generate') this.endMolecules(kept);
    if (job.request.kind === 'volumes.enhance' && state === 'finished') this.endScan(kept);
    if (job.request.kind === 'replay') job.outcome = { kind: 'replay', identical: true, differences: [] };
    job.artifacts = [...kept.files].map(([name, { body, type }]) => artifact(name, body, type));
    this.tell(kept, 'done', job);
    kept.hearers.forEach((response) => response.end());
    kept.hearers.clear();
  }

  private endMolecules(kept: Kept) {
    const made = kept.molecules;
    const part = (holds: (molecule: MoleculeResult) => boolean) =>
      made.filter(holds).length / Math.max(1, made.length);
    kept.files.set('molecules.sdf', { body: Buffer.from(sdf(made)), type: 'chemical/x-mdl-sdfile' });
    kept.files.set('molecules.csv', { body: Buffer.from(csv(made)), type: 'text/csv' });
    kept.job.outcome = {
      kind: 'molecules',
      drawn: made.length + 2,
      kept: made.length,
      valid: part(({ valid }) => valid),
      connected: part(({ connected }) => connected),
      stable: part(({ stable }) => stable),
      unique: new Set(made.map(({ key }) => key)).size / Math.max(1, made.length),
      novel: 0.59,
    };
  }

  private endScan(kept: Kept) {
    const { job } = kept;
    const settings = job.request.kind === 'volumes.enhance' ? job.request.settings : null;
    const gzip = 'application/gzip';
    if (job.request.kind === 'volumes.enhance' && this.isDicom(job.request.scan)) {
      kept.files.set('derived.zip', { body: Buffer.from('PK'), type: 'application/zip' });
    }
    kept.files.set('input.nii.gz', { body: scans.scan, type: gzip });
    kept.files.set('output.nii.gz', { body: scans.output, type: gzip });
    kept.files.set('difference.nii.gz', { body: difference(scans.scan, scans.output), type: gzip });
    if (settings !== null && settings.samples > 1) {
      kept.files.set('deviation.nii.gz', { body: scans.deviation, type: gzip });
    }
    job.outcome = {
      kind: 'volumes',
      calibrated: settings !== null && settings.samples > 1 ? true : null,
      measures: [
        {
          name: 'noise',
          label: 'Noise σ before',
          value: 14.7,
          unit: '',
          meaning: 'Estimated from the scan, in its units; Rician.',
        },
        {
          name: 'consistency',
          label: 'Data consistency',
          value: 1.02,
          unit: 'σ',
          meaning: 'Size of what was taken away, against the noise that was assumed: 1 is right.',
        },
        {
          name: 'psnr',
          label: 'PSNR',
          value: 29.3,
          unit: 'dB',
          meaning: 'Against the truth that was given; 23.4 dB before.',
        },
      ],
    };
  }
}

function artifact(name: string, body: Buffer, type: string): Artifact {
  return {
    name,
    digest: 'sha256:' + createHash('sha256').update(body).digest('hex'),
    bytes: body.length,
    media_type: type,
    expires_at: new Date(Date.now() + RETENTION).toISOString(),
  };
}

export function sdf(list: MoleculeResult[]): string {
  return list.map((molecule) => molecule.sdf).join('');
}

export function csv(list: MoleculeResult[]): string {
  const rows = list.map(({ number, smiles, formula, atoms }) => [number, smiles, formula, atoms].join(','));
  return ['number,smiles,formula,atoms', ...rows].join('\n') + '\n';
}
