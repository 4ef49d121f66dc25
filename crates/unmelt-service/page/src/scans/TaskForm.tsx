import type { TaskName, VolumesModel } from '../api.ts';
import { Choice } from '../parts/Choice.tsx';
import { Field, faultOf, NumberField } from '../parts/Field.tsx';
import type { Planned } from '../state/use-plan.ts';
import { FileDrop } from './FileDrop.tsx';
import { USUAL_SAMPLES, type ScanForm } from './form.ts';

interface Props {
  form: ScanForm;
  model: VolumesModel;
  planned: Planned;
  onChange: (part: Partial<ScanForm>) => void;
}

const TASKS: { name: TaskName; label: string; what: string }[] = [
  { name: 'denoise', label: 'Remove noise', what: 'Rician noise of magnitude MRI, or Gaussian noise.' },
  {
    name: 'super-resolve',
    label: 'Resolve thick slices',
    what: 'A finer grid from thick slices or coarse voxels.',
  },
  {
    name: 'inpaint',
    label: 'Fill a masked region',
    what: 'Voxels of a mask are filled; all others stay as they are.',
  },
  {
    name: 'outpaint',
    label: 'Extend the field of view',
    what: 'Tissue that was not scanned is made up from the prior.',
  },
  {
    name: 'kspace',
    label: 'Reconstruct k-space',
    what: 'An image of zero-filled k-space, and which lines were sampled.',
  },
];

const AXES = ['Right–left', 'Front–back', 'Top–bottom'] as const;
const SIDES = [
  ['left', 'right'],
  ['back', 'front'],
  ['bottom', 'top'],
] as const;

/** What to do with the scan. */
export function TaskForm({ form, model, planned, onChange }: Props) {
  const tasks = TASKS.filter(({ name }) => model.tasks.includes(name));
  const chosen = tasks.find(({ name }) => name === form.task);
  const fault = (field: string) => faultOf(planned.problem, field);
  const isCalibrated = model.calibrated.includes(form.task);
  return (
    <>
      <fieldset class="tasks">
        <legend>Task</legend>
        {tasks.map(({ name, label }) => (
          <label key={name} class={name === form.task ? 'is-chosen' : ''}>
            <input
              type="radio"
              name="task"
              value={name}
              checked={name === form.task}
              onChange={() => onChange({ task: name })}
            />
            {label}
          </label>
        ))}
      </fieldset>
      {chosen !== undefined && <p class="note">{chosen.what}</p>}
      <TaskOptions form={form} fault={fault} onChange={onChange} />

      <label class="check">
        <input
          type="checkbox"
          checked={form.samples > 1}
          onChange={(event) => onChange({ samples: event.currentTarget.checked ? USUAL_SAMPLES : 1 })}
        />
        Uncertainty of each voxel
      </label>
      {form.samples > 1 && (
        <>
          <NumberField
            label="Samples"
            value={form.samples}
            min={2}
            help="The result is their mean. Time grows with them."
            fault={fault('settings.samples')}
            onChange={(samples) => onChange({ samples: samples ?? USUAL_SAMPLES })}
          />
          <p class={isCalibrated ? 'note' : 'warning'}>
            {isCalibrated
              ? 'The 90 % interval of this task was calibrated on scans that the model has not seen.'
              : 'The interval of this task is not calibrated: what it covers is unknown.'}
          </p>
        </>
      )}
      <details class="group">
        <summary>Sampling and truth</summary>
        <div class="beside">
          <NumberField
            label="Steps"
            value={form.steps}
            min={1}
            fault={fault('settings.steps')}
            onChange={(steps) => onChange({ steps })}
          />
          <NumberField
            label="Seed"
            value={form.seed}
            min={0}
            fault={fault('settings.seed')}
            onChange={(seed) => onChange({ seed })}
          />
        </div>
        <Field label="Solver">
          {(id) => (
            <select
              id={id}
              value={form.solver}
              onChange={(event) => onChange({ solver: event.currentTarget.value })}
            >
              <option value="">as the task needs</option>
              {model.solvers.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Field>
        <FileDrop
          isSmall
          label="Truth, if there is one"
          hint="A scan on the same grid, for PSNR and SSIM."
          sent={form.truth}
          onSent={(truth) => onChange({ truth })}
        />
      </details>
    </>
  );
}

interface OptionsProps {
  form: ScanForm;
  fault: (field: string) => string | null;
  onChange: (part: Partial<ScanForm>) => void;
}

function replaced(values: (number | null)[], at: number, value: number | null): (number | null)[] {
  return values.map((old, k) => (k === at ? value : old));
}

function TaskOptions({ form, fault, onChange }: OptionsProps) {
  switch (form.task) {
    case 'denoise':
      return (
        <div class="beside">
          <NumberField
            label="Noise σ"
            value={form.sigma}
            min={0}
            step="any"
            placeholder="estimated"
            help="In units of the scan."
            fault={fault('task.sigma')}
            onChange={(sigma) => onChange({ sigma })}
          />
          <Field label="Kind of noise">
            {(id) => (
              <select
                id={id}
                value={form.noise}
                onChange={(event) => onChange({ noise: event.currentTarget.value as ScanForm['noise'] })}
              >
                <option value="auto">estimated</option>
                <option value="rician">Rician (magnitude MRI)</option>
                <option value="gaussian">Gaussian</option>
              </select>
            )}
          </Field>
        </div>
      );
    case 'super-resolve':
      return (
        <>
          <div class="beside">
            {AXES.map((axis, k) => (
              <NumberField
                key={axis}
                label={axis}
                unit="mm"
                value={form.spacing[k] ?? null}
                min={0}
                step="any"
                fault={k === 0 ? fault('task.spacing') : null}
                onChange={(mm) => onChange({ spacing: replaced(form.spacing, k, mm) })}
              />
            ))}
          </div>
          <Choice
            label="Profile of the slices"
            value={form.profile}
            options={[
              { value: 'box', label: 'Box' },
              { value: 'gaussian', label: 'Gaussian' },
            ]}
            onChange={(profile) => onChange({ profile })}
          />
        </>
      );
    case 'outpaint':
      return (
        <fieldset class="group">
          <legend>Millimetres to add</legend>
          {SIDES.map(([below, above], k) => (
            <div class="beside" key={below}>
              <NumberField
                label={below}
                value={form.low_mm[k] ?? null}
                min={0}
                placeholder="0"
                fault={k === 0 ? fault('task.low_mm') : null}
                onChange={(mm) => onChange({ low_mm: replaced(form.low_mm, k, mm) })}
              />
              <NumberField
                label={above}
                value={form.high_mm[k] ?? null}
                min={0}
                placeholder="0"
                onChange={(mm) => onChange({ high_mm: replaced(form.high_mm, k, mm) })}
              />
            </div>
          ))}
        </fieldset>
      );
    case 'inpaint':
    case 'kspace':
      return (
        <FileDrop
          isSmall
          label="Mask"
          hint={
            form.task === 'inpaint'
              ? 'A volume on the same grid, nonzero where voxels are missing.'
              : 'Nonzero where k-space was sampled, its middle in the middle.'
          }
          sent={form.mask}
          onSent={(mask) => onChange({ mask })}
        />
      );
  }
}
