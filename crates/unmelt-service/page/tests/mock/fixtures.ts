import { readFileSync } from 'node:fs';
import type { Model, ModelProperty, MoleculeResult, TaskName, Triple } from '../../src/api.ts';

/** What the mock server answers with: molecules and a scan that the program made. */

const here = new URL('../fixtures/', import.meta.url);
const data = new URL('../../../../../data/', import.meta.url);

function json(folder: URL, name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
}

export const molecules = json(here, 'molecules.json') as MoleculeResult[];

/** A molecule walking out of noise, a frame for every second evaluation. */
export const trajectory = json(here, 'trajectory.json') as { elements: string[]; positions: Triple[] }[];

export const scans = {
  scan: readFileSync(new URL('scan.nii.gz', here)),
  output: readFileSync(new URL('output.nii.gz', here)),
  deviation: readFileSync(new URL('deviation.nii.gz', here)),
};

interface Card<M> {
  name: string;
  description: string;
  model: M;
  weights: unknown;
  provenance: { trained_by: string; data: string; measured: Record<string, number>; protocol: string };
}

interface MoleculeCard {
  vocabulary: { sizes: Record<string, number> };
  properties: {
    source: { name: string; unit?: string };
    mean: number;
    deviation: number;
    range: [number, number];
  }[];
}

const LABELS: Record<string, string> = {
  dipole: 'Dipole moment',
  gap: 'HOMO–LUMO gap',
  homo: 'HOMO energy',
  lumo: 'LUMO energy',
  logp: 'logP',
  tpsa: 'Polar surface area',
  qed: 'Drug-likeness (QED)',
};

const qm9 = json(data, 'qm9/model.json') as Card<MoleculeCard>;
const brain = json(data, 'brain-mri/model.json') as Card<{ calibration: Record<string, unknown> }>;

const measured = (card: Card<unknown>) =>
  Object.entries(card.provenance.measured).map(([name, value]) => ({ name, value }));

const properties: ModelProperty[] = qm9.model.properties.map(({ source, ...rest }) => ({
  name: source.name,
  label: LABELS[source.name] ?? source.name,
  unit: source.unit ?? '',
  ...rest,
}));

const TASKS: TaskName[] = ['denoise', 'super-resolve', 'inpaint', 'outpaint', 'kspace'];
const churn = { amount: 0, from: 0, to: null, noise: 1 };

export const models: Model[] = [
  {
    of: 'molecules',
    name: qm9.name,
    digest: '4f97f1fb0ddf97e08b69f91bec97a31c6dfa46781331977e7cddea50a9f35659',
    description: qm9.description,
    bytes: 2_068_356,
    parameters: 2_060_000,
    trained_by: qm9.provenance.trained_by,
    data: qm9.provenance.data,
    measured: measured(qm9),
    protocol: qm9.provenance.protocol,
    licence: 'MIT or Apache-2.0',
    limits: [
      'Drug-like molecules, proteins, crystals',
      'Elements other than H, C, N and O',
      'More than 29 atoms',
    ],
    elements: ['H', 'C', 'N', 'O'],
    atoms: [3, 29],
    properties,
    roles: ['scaffold', 'link', 'vary'],
    knows_training_data: true,
    defaults: {
      steps: 100,
      solver: {
        'dpm-plus-plus': { order: 2, second: 'midpoint', third: 'taylor', eta: 1, end: 'full' },
      },
      grid: { kind: 'power', power: 1.25 },
      temperature: 1,
      seed: 0,
      atoms: null,
      beginning: 'noise',
      targets: [],
      guidance: 2,
      candidates: null,
    },
    solvers: [
      { name: 'ancestral', solver: { ancestral: { variance: 'posterior', final_noise: false } } },
      { name: 'ddim', solver: { ddim: { eta: 0 } } },
      { name: 'heun', solver: { heun: { churn } } },
    ],
  },
  {
    of: 'volumes',
    name: brain.name,
    digest: 'b1946ac92492d2347c6235b4d2611184b1946ac92492d2347c6235b4d2611184',
    description: brain.description,
    bytes: 7_970_072,
    parameters: 7_900_000,
    trained_by: brain.provenance.trained_by,
    data: brain.provenance.data,
    measured: measured(brain),
    protocol: brain.provenance.protocol,
    licence: 'MIT or Apache-2.0',
    limits: ['CT', 'Other organs than the brain', '2D images and 4D series'],
    trained_on: 'brain MRI at about 1 mm',
    modalities: ['MR'],
    spacing_mm: [1, 1],
    tasks: TASKS,
    calibrated: TASKS.filter((task) => task in brain.model.calibration),
    defaults: { solver: null, steps: 20, seed: 0, samples: 1, sigma_max: null, sigma_min: 0.005, halo: 4 },
    solvers: ['diffpir', 'hqs', 'ddnm', 'dds', 'dps', 'repaint'],
  },
];
