import type { FilterName, MoleculeRole, MoleculesGenerate, MoleculesModel, Upload } from '../api.ts';

/** What the molecules begin from, as the form says it. */
export type Start = 'noise' | 'formula' | MoleculeRole;

export interface ElementRange {
  least: number | null;
  most: number | null;
}

/** What stands in the form. */
export interface MoleculesForm {
  model: string;
  count: number | null;
  start: Start;
  formula: string;
  /** Molecules of which `records` are taken. */
  upload: Upload | null;
  records: number[];
  /** Atoms from 0, through all records; empty: those with an open valence. */
  attach: number[];
  strength: number;
  targets: Record<string, number>;
  atoms: number | null;
  elements: Record<string, ElementRange>;
  filters: FilterName[];
  steps: number | null;
  temperature: number | null;
  guidance: number | null;
  candidates: number | null;
  seed: number | null;
  /** Name; empty for the model's own. */
  solver: string;
}

export const USUAL_STRENGTH = 0.3;
const MAX_DRAWS = 10_000;

export function emptyForm(model: MoleculesModel): MoleculesForm {
  const { defaults } = model;
  return {
    model: model.name,
    count: 60,
    start: 'noise',
    formula: '',
    upload: null,
    records: [],
    attach: [],
    strength: USUAL_STRENGTH,
    targets: {},
    atoms: null,
    elements: {},
    filters: ['valid', 'connected', 'unique'],
    steps: defaults.steps,
    temperature: defaults.temperature,
    guidance: defaults.guidance,
    candidates: null,
    seed: defaults.seed,
    solver: '',
  };
}

/** Limits on elements as the request has them: "N>=1", "O<=2", and "F=0" for equal ends. */
export function limitsOf(elements: Record<string, ElementRange>): string[] {
  return Object.entries(elements).flatMap(([element, { least, most }]) => {
    if (least !== null && least === most) return [`${element}=${least}`];
    return [
      ...(least === null ? [] : [`${element}>=${least}`]),
      ...(most === null ? [] : [`${element}<=${most}`]),
    ];
  });
}

/** The ranges that such limits say. */
export function elementsOf(limits: string[]): Record<string, ElementRange> {
  const ranges: Record<string, ElementRange> = {};
  for (const limit of limits) {
    const [, element, sign, text] = /^([A-Z][a-z]?)(>=|<=|=)(\d+)$/.exec(limit) ?? [];
    if (element === undefined || text === undefined) continue;
    const range = (ranges[element] ??= { least: null, most: null });
    if (sign !== '<=') range.least = Number(text);
    if (sign !== '>=') range.most = Number(text);
  }
  return ranges;
}

/** The request of a form; null as long as something is missing that only the reader can say. */
export function requestOf(form: MoleculesForm, model: MoleculesModel): MoleculesGenerate | null {
  const { defaults } = model;
  const takesUpload = form.start === 'scaffold' || form.start === 'link' || form.start === 'vary';
  if (takesUpload && (form.upload === null || form.records.length === 0)) return null;
  if (form.start === 'formula' && form.formula.trim() === '') return null;
  const solver = model.solvers.find(({ name }) => name === form.solver);
  return {
    kind: 'molecules.generate',
    model: form.model,
    count: form.count ?? 0,
    first: 0,
    request: {
      ...defaults,
      steps: form.steps ?? defaults.steps,
      solver: solver === undefined ? defaults.solver : solver.solver,
      temperature: form.temperature ?? defaults.temperature,
      seed: form.seed ?? defaults.seed,
      atoms: form.start === 'formula' || form.start === 'vary' ? null : form.atoms,
      beginning: form.start === 'formula' ? { formula: form.formula.trim() } : 'noise',
      targets: Object.entries(form.targets),
      guidance: form.guidance ?? defaults.guidance,
      candidates: form.candidates,
    },
    from:
      takesUpload && form.upload !== null
        ? {
            upload: form.upload.id,
            role: form.start as MoleculeRole,
            records: form.records,
            attach: form.start === 'vary' || form.attach.length === 0 ? null : form.attach,
            strength: form.start === 'vary' ? form.strength : null,
          }
        : null,
    filters: form.filters,
    contains: limitsOf(form.elements),
    max_draws: MAX_DRAWS,
  };
}

/** The form that such a request came from. The upload is not known any more; the reader gives it again. */
export function formOf(request: MoleculesGenerate, model: MoleculesModel): MoleculesForm {
  const { request: r, from } = request;
  const beginning = r.beginning;
  const isFormula = typeof beginning === 'object' && 'formula' in beginning;
  const text = JSON.stringify(r.solver);
  const usual = JSON.stringify(model.defaults.solver);
  const solver = model.solvers.find((known) => JSON.stringify(known.solver) === text);
  return {
    ...emptyForm(model),
    count: request.count,
    start: from?.role ?? (isFormula ? 'formula' : 'noise'),
    formula: isFormula ? beginning.formula : '',
    strength: from?.strength ?? USUAL_STRENGTH,
    targets: Object.fromEntries(r.targets),
    atoms: r.atoms,
    elements: elementsOf(request.contains),
    filters: request.filters,
    steps: r.steps,
    temperature: r.temperature,
    guidance: r.guidance,
    candidates: r.candidates,
    seed: r.seed,
    solver: text === usual ? '' : (solver?.name ?? ''),
  };
}
