import type { FilterName, MoleculesModel } from '../api.ts';
import { Choice } from '../parts/Choice.tsx';
import { Field, faultOf, NumberField } from '../parts/Field.tsx';
import { Icon } from '../parts/Icon.tsx';
import { PlanDetails, PlanLine } from '../parts/PlanLine.tsx';
import { ProblemBox } from '../parts/ProblemBox.tsx';
import { moleculeModels } from '../state/session.ts';
import type { Planned } from '../state/use-plan.ts';
import { ElementLimits } from './ElementLimits.tsx';
import { emptyForm, type MoleculesForm, type Start } from './form.ts';
import { PropertyTarget } from './PropertyTarget.tsx';
import { firstRecords, StartingMolecules } from './StartingMolecules.tsx';

interface Props {
  form: MoleculesForm;
  model: MoleculesModel;
  planned: Planned;
  canSubmit: boolean;
  onChange: (part: Partial<MoleculesForm>) => void;
  onSubmit: () => void;
}

const STARTS: { value: Start; label: string; title: string }[] = [
  { value: 'noise', label: 'Nothing', title: 'New molecules' },
  { value: 'formula', label: 'Formula', title: 'Isomers of a molecular formula' },
  { value: 'scaffold', label: 'Scaffold', title: 'Grow on a fragment that stays as it is' },
  { value: 'link', label: 'Link', title: 'Grow a linker between fragments' },
  { value: 'vary', label: 'Vary', title: 'Relatives of a molecule' },
];

const FILTERS: { name: FilterName; label: string; needsTraining: boolean }[] = [
  { name: 'valid', label: 'Valid valences', needsTraining: false },
  { name: 'connected', label: 'In one piece', needsTraining: false },
  { name: 'stable', label: 'Stable (EDM)', needsTraining: false },
  { name: 'unique', label: 'No duplicates', needsTraining: false },
  { name: 'novel', label: 'Not in the training data', needsTraining: true },
];

/** Fields whose sentences stand beside them. */
const SHOWN = [
  'count',
  'request.steps',
  'request.seed',
  'request.atoms',
  'request.temperature',
  'request.beginning',
];

/** What the molecules should be. */
export function RequestForm({ form, model, planned, canSubmit, onChange, onSubmit }: Props) {
  const fault = (field: string) => faultOf(planned.problem, field);
  const starts = STARTS.filter(
    ({ value }) => value === 'noise' || value === 'formula' || model.roles.includes(value),
  );
  const shown = [...SHOWN, ...model.properties.map(({ name }) => `request.targets.${name}`)];
  const toggle = (name: FilterName) =>
    onChange({
      filters: form.filters.includes(name)
        ? form.filters.filter((other) => other !== name)
        : [...form.filters, name],
    });
  const setTarget = (name: string, value: number | undefined) => {
    const others = Object.entries(form.targets).filter(([other]) => other !== name);
    onChange({ targets: Object.fromEntries(value === undefined ? others : [...others, [name, value]]) });
  };
  const hasTargets = Object.keys(form.targets).length > 0;

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      <h1>Molecules</h1>
      <div class="beside">
        <Field label="Model">
          {(id) => (
            <select
              id={id}
              value={form.model}
              onChange={(event) => {
                const next = moleculeModels().find(({ name }) => name === event.currentTarget.value);
                if (next !== undefined) onChange({ ...emptyForm(next), count: form.count });
              }}
            >
              {moleculeModels().map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Field>
        <NumberField
          label="How many"
          value={form.count}
          min={1}
          fault={fault('count')}
          onChange={(count) => onChange({ count })}
        />
      </div>
      <p class="note">
        Knows {model.elements.join(', ')}; {model.atoms[0]} to {model.atoms[1]} atoms with hydrogens.
      </p>

      <Choice
        label="Begin from"
        value={form.start}
        options={starts}
        onChange={(start) =>
          onChange({
            start,
            attach: [],
            records: form.upload === null ? [] : firstRecords(start, form.upload),
          })
        }
      />
      {form.start === 'formula' && (
        <Field label="Molecular formula, hydrogens included" fault={fault('request.beginning')}>
          {(id, note) => (
            <input
              id={id}
              type="text"
              spellcheck={false}
              placeholder="C7H10O2"
              aria-describedby={note}
              value={form.formula}
              onInput={(event) => onChange({ formula: event.currentTarget.value })}
            />
          )}
        </Field>
      )}
      {(form.start === 'scaffold' || form.start === 'link' || form.start === 'vary') && (
        <StartingMolecules form={form} onChange={onChange} />
      )}
      {form.start === 'vary' && (
        <Field
          label="How far from it"
          help="0.2 mostly gives the same molecule, 0.3 close relatives, 0.5 distant ones."
        >
          {(id, note) => (
            <div class="slide">
              <input
                id={id}
                type="range"
                min={0.05}
                max={1}
                step={0.05}
                aria-describedby={note}
                value={form.strength}
                onInput={(event) => onChange({ strength: event.currentTarget.valueAsNumber })}
              />
              <output for={id}>{form.strength.toFixed(2)}</output>
            </div>
          )}
        </Field>
      )}

      {model.properties.length > 0 && (
        <fieldset class="group">
          <legend>Properties to aim for</legend>
          {model.properties.map((property) => (
            <PropertyTarget
              key={property.name}
              property={property}
              value={form.targets[property.name]}
              fault={fault(`request.targets.${property.name}`)}
              onChange={(value) => setTarget(property.name, value)}
            />
          ))}
        </fieldset>
      )}

      <fieldset class="group">
        <legend>Keep only</legend>
        <div class="checks">
          {FILTERS.filter(({ needsTraining }) => !needsTraining || model.knows_training_data).map(
            ({ name, label }) => (
              <label key={name} class="check">
                <input type="checkbox" checked={form.filters.includes(name)} onChange={() => toggle(name)} />
                {label}
              </label>
            ),
          )}
        </div>
      </fieldset>

      <details class="group">
        <summary>Size and elements</summary>
        {form.start !== 'formula' && form.start !== 'vary' && (
          <NumberField
            label="Atoms, hydrogens included"
            value={form.atoms}
            min={1}
            placeholder="as in the training data"
            fault={fault('request.atoms')}
            onChange={(atoms) => onChange({ atoms })}
          />
        )}
        <ElementLimits
          elements={model.elements}
          ranges={form.elements}
          onChange={(elements) => onChange({ elements })}
        />
      </details>

      <details class="group">
        <summary>Sampling</summary>
        <div class="beside">
          <NumberField
            label="Steps"
            value={form.steps}
            min={1}
            help="More is better and slower."
            fault={fault('request.steps')}
            onChange={(steps) => onChange({ steps })}
          />
          <NumberField
            label="Seed"
            value={form.seed}
            min={0}
            help="The same seed gives the same molecules."
            fault={fault('request.seed')}
            onChange={(seed) => onChange({ seed })}
          />
        </div>
        <div class="beside">
          <NumberField
            label="Temperature"
            value={form.temperature}
            min={0}
            step="any"
            help="Below 1: likelier atoms and bonds."
            fault={fault('request.temperature')}
            onChange={(temperature) => onChange({ temperature })}
          />
          <Field label="Solver">
            {(id) => (
              <select
                id={id}
                value={form.solver}
                onChange={(event) => onChange({ solver: event.currentTarget.value })}
              >
                <option value="">as the model says</option>
                {model.solvers.map(({ name }) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            )}
          </Field>
        </div>
        {hasTargets && (
          <div class="beside">
            <NumberField
              label="Guidance"
              value={form.guidance}
              step="any"
              help="1 is the network's own answer, more goes beyond it."
              onChange={(guidance) => onChange({ guidance })}
            />
            <NumberField
              label="Candidates"
              value={form.candidates}
              min={1}
              placeholder="8"
              help="Drawn for each molecule; the nearest is kept."
              onChange={(candidates) => onChange({ candidates })}
            />
          </div>
        )}
      </details>

      {planned.plan !== null && <PlanDetails plan={planned.plan} />}
      {planned.problem !== null && <ProblemBox problem={planned.problem} shown={shown} />}
      <div class="submit">
        {planned.plan !== null && <PlanLine plan={planned.plan} />}
        <button type="submit" class="primary" disabled={!canSubmit}>
          <Icon name="play" />
          Generate
        </button>
      </div>
    </form>
  );
}
