import { expect, test } from 'vitest';
import type { MoleculesGenerate, VolumesEnhance } from '../../src/api.ts';
import { commandsOf, shellWord, type Files } from '../../src/lib/commands.ts';

const NO_FILES: Files = { names: {}, solver: null };

const generate: MoleculesGenerate = {
  kind: 'molecules.generate',
  model: 'qm9',
  count: 20,
  first: 0,
  request: {
    steps: 50,
    solver: {},
    grid: {},
    temperature: 1,
    seed: 7,
    atoms: null,
    beginning: 'noise',
    targets: [['dipole', 3.5]],
    guidance: 2,
    candidates: null,
  },
  from: null,
  filters: ['valid', 'connected'],
  contains: ['N>=1'],
  max_draws: 10_000,
};

const enhance: VolumesEnhance = {
  kind: 'volumes.enhance',
  model: 'brain-mri',
  scan: 's1',
  series: null,
  truth: null,
  task: { kind: 'outpaint', low_mm: [0, 0, 0], high_mm: [0, 5, 20] },
  settings: { solver: null, steps: 20, seed: 0, samples: 8, sigma_max: null, sigma_min: 0.005, halo: 4 },
};

test('molecules as a command line', () => {
  const { shell } = commandsOf(generate, 'http://127.0.0.1:8080', NO_FILES);
  expect(shell.replaceAll(' \\\n ', '')).toBe(
    "unmelt molecules generate --count 20 --seed 7 --steps 50 --property dipole=3.5 --guidance 2 --filter valid,connected --contains 'N>=1' --output molecules.sdf",
  );
});

test('molecules as Python', () => {
  const { python } = commandsOf(generate, '', NO_FILES);
  expect(python).toContain('properties={"dipole": 3.5}');
  expect(python).toContain('filters=["valid", "connected"]');
  expect(python).toMatch(/^import unmelt\n\nresult = unmelt\.molecules\.generate\(\n {4}20,/);
});

test('a scaffold counts atoms from 1 on the command line and from 0 in Python', () => {
  const from = { upload: 'u1', role: 'scaffold' as const, records: [0], attach: [3, 8], strength: null };
  const files = { names: { u1: 'my ring.sdf' }, solver: 'ddim' };
  const { shell, python } = commandsOf({ ...generate, from }, '', files);
  expect(shell).toContain("--scaffold 'my ring.sdf'");
  expect(shell).toContain('--attach 4,9');
  expect(shell).toContain('--solver ddim');
  expect(python).toContain('attach=[3, 8]');
  expect(python).toContain('unmelt.molecules.grow(\n    molecules[0],\n    20,');
});

test('curl sends the request as it is', () => {
  const { curl } = commandsOf(generate, 'http://127.0.0.1:8080', NO_FILES);
  const body = /-d '(.*)'$/s.exec(curl)?.[1];
  expect(JSON.parse(body ?? '')).toEqual(generate);
  expect(curl).toContain('http://127.0.0.1:8080/v1/jobs');
});

test('a scan names its sides and its file', () => {
  const { shell, python } = commandsOf(enhance, '', { names: { s1: 't1.nii.gz' }, solver: null });
  expect(shell).toContain('unmelt volumes enhance t1.nii.gz');
  expect(shell).toContain('--extend front=5,top=20');
  expect(shell).toContain('--std deviation.nii.gz');
  expect(python).toContain('unmelt.volumes.outpaint(');
  expect(python).toContain('extend={"front": 5, "top": 20}');
});

test('words are quoted where a shell would read them otherwise', () => {
  expect(['a-b.sdf', 'a b', "it's", ''].map(shellWord)).toEqual(['a-b.sdf', "'a b'", `'it'\\''s'`, "''"]);
});
