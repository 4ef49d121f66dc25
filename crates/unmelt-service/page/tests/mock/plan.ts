import type { JobRequest, Plan, Problem } from '../../src/api.ts';
import { models } from './fixtures.ts';
import { Refusal } from './problem.ts';

const MOST_STEPS = 10_000;

type Fault = Problem['fields'][number];

function check(isWrong: boolean, field: string, message: string): Fault[] {
  return isWrong ? [{ field, message }] : [];
}

/** Whether a request can be honoured, and what it costs. */
export function planOf(request: JobRequest): Plan {
  if (request.kind === 'replay') return plan('qm9', 0, 60, 6000, []);
  const model = models.find(({ name }) => name === request.model);
  if (model === undefined) {
    throw new Refusal(422, `There is no model ${request.model}.`, [{ field: 'model', message: 'unknown' }]);
  }
  if (request.kind === 'volumes.enhance') {
    const { steps, samples, seed } = request.settings;
    const faults = check(steps < 1 || steps > MOST_STEPS, 'settings.steps', `Use 1 to ${MOST_STEPS} steps.`);
    if (faults.length > 0) throw new Refusal(422, 'The request cannot be honoured.', faults);
    const warnings = ['The voxels have 2.00 mm, and brain-mri was trained on brain MRI at about 1 mm.'];
    return { ...plan(model.name, seed, samples, samples * steps * 4, []), warnings };
  }
  const { steps, targets, seed, beginning, candidates } = request.request;
  const known = model.of === 'molecules' ? model.properties : [];
  const formula = typeof beginning === 'object' && 'formula' in beginning ? beginning.formula : null;
  const foreign = formula?.match(/[A-Z][a-z]?/g)?.find((symbol) => !['H', 'C', 'N', 'O'].includes(symbol));
  const faults = [
    ...check(request.count < 1, 'count', 'Ask for at least 1 molecule.'),
    ...check(steps < 1 || steps > MOST_STEPS, 'request.steps', `Use 1 to ${MOST_STEPS} steps.`),
    ...check(
      foreign !== undefined,
      'request.beginning',
      `The model does not know ${foreign ?? ''}; it knows H, C, N, O.`,
    ),
    ...targets.flatMap(([name, value]) => {
      const property = known.find((one) => one.name === name);
      const [low, high] = property?.range ?? [0, 0];
      const isFar = value < low - 10 * (high - low) || value > high + 10 * (high - low);
      return check(
        isFar,
        `request.targets.${name}`,
        `${value} is far outside of ${low.toFixed(1)} to ${high.toFixed(1)}.`,
      );
    }),
  ];
  if (faults.length > 0) throw new Refusal(422, 'The request cannot be honoured.', faults);
  const drawn = request.count * (targets.length > 0 ? (candidates ?? 8) * 2 : 1);
  const filled = [
    { field: 'request.candidates', value: targets.length > 0 ? '8' : '1' },
    { field: 'request.atoms', value: 'as in the training data' },
  ];
  return plan(model.name, seed, request.count, drawn * steps, filled);
}

function plan(
  name: string,
  seed: number,
  samples: number,
  evaluations: number,
  filled: Plan['filled_in'],
): Plan {
  return {
    model: { name, digest: models.find((model) => model.name === name)?.digest ?? '' },
    seed,
    samples,
    evaluations,
    memory_bytes: 180_000_000 + 90_000 * samples,
    estimate_seconds: evaluations * 0.0042,
    filled_in: filled,
    warnings: [],
  };
}
