import type { Profile, TaskName, Triple, Upload, VolumesEnhance, VolumesModel, VolumeTask } from '../api.ts';

/** A file that was sent, with the name that the reader knows it by. */
export interface Sent {
  label: string;
  upload: Upload;
}

/** What stands in the form of a scan. */
export interface ScanForm {
  model: string;
  scan: Sent | null;
  series: number;
  task: TaskName;
  /** Standard deviation of the noise; null: estimated. */
  sigma: number | null;
  noise: 'auto' | 'rician' | 'gaussian';
  spacing: (number | null)[];
  profile: Profile;
  mask: Sent | null;
  low_mm: (number | null)[];
  high_mm: (number | null)[];
  truth: Sent | null;
  samples: number;
  steps: number | null;
  seed: number | null;
  /** Name; empty for the task's own. */
  solver: string;
}

/** Samples that an uncertainty is made of, unless told otherwise. */
export const USUAL_SAMPLES = 8;

export function emptyScanForm(model: VolumesModel): ScanForm {
  return {
    model: model.name,
    scan: null,
    series: 0,
    task: 'denoise',
    sigma: null,
    noise: 'auto',
    spacing: [1, 1, 1],
    profile: 'box',
    mask: null,
    low_mm: [null, null, null],
    high_mm: [null, null, 20],
    truth: null,
    samples: model.defaults.samples,
    steps: model.defaults.steps,
    seed: model.defaults.seed,
    solver: '',
  };
}

function triple(values: (number | null)[], missing: number): Triple {
  return [values[0] ?? missing, values[1] ?? missing, values[2] ?? missing];
}

function taskOf(form: ScanForm): VolumeTask | null {
  switch (form.task) {
    case 'denoise':
      return {
        kind: 'denoise',
        sigma: form.sigma,
        rician: form.noise === 'auto' ? null : form.noise === 'rician',
      };
    case 'super-resolve':
      return { kind: 'super-resolve', spacing: triple(form.spacing, 1), profile: form.profile };
    case 'outpaint':
      return { kind: 'outpaint', low_mm: triple(form.low_mm, 0), high_mm: triple(form.high_mm, 0) };
    case 'inpaint':
    case 'kspace':
      return form.mask === null ? null : { kind: form.task, mask: form.mask.upload.id };
  }
}

/** The request of a form; null as long as a scan or a mask is missing. */
export function scanRequestOf(form: ScanForm, model: VolumesModel): VolumesEnhance | null {
  const task = taskOf(form);
  if (form.scan === null || task === null) return null;
  const { understood } = form.scan.upload;
  const isSeveral = understood.kind === 'volume' && understood.series.length > 1;
  return {
    kind: 'volumes.enhance',
    model: form.model,
    scan: form.scan.upload.id,
    series: isSeveral ? form.series : null,
    truth: form.truth?.upload.id ?? null,
    task,
    settings: {
      ...model.defaults,
      solver: form.solver === '' ? null : form.solver,
      steps: form.steps ?? model.defaults.steps,
      seed: form.seed ?? model.defaults.seed,
      samples: form.samples,
    },
  };
}
