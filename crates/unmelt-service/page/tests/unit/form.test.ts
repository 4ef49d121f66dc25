import { expect, test } from 'vitest';
import type { MoleculesModel, Upload } from '../../src/api.ts';
import { elementsOf, emptyForm, formOf, limitsOf, requestOf } from '../../src/molecules/form.ts';
import { models } from '../mock/fixtures.ts';

const model = models.find((one): one is MoleculesModel => one.of === 'molecules') ?? fail();

const upload: Upload = {
  id: 'u1',
  name: 'ring.sdf',
  bytes: 1,
  digest: '',
  expires_at: '',
  understood: { kind: 'molecules', records: [], warnings: [] },
};

test('an empty form asks for what the model does by itself', () => {
  const request = requestOf(emptyForm(model), model);
  expect(request?.request).toEqual(model.defaults);
  expect(request?.from).toBeNull();
});

test('limits on elements are read as they are written', () => {
  const ranges = { N: { least: 1, most: null }, O: { least: null, most: 2 }, F: { least: 0, most: 0 } };
  expect(limitsOf(ranges)).toEqual(['N>=1', 'O<=2', 'F=0']);
  expect(elementsOf(limitsOf(ranges))).toEqual(ranges);
});

test('a form is made again of its request', () => {
  const form = {
    ...emptyForm(model),
    count: 7,
    targets: { dipole: 3.5 },
    elements: { N: { least: 1, most: 3 } },
    seed: 5,
    candidates: 4,
    solver: 'ddim',
  };
  const request = requestOf(form, model);
  expect(request && formOf(request, model)).toEqual(form);
});

test('a scaffold is sent by its upload, with the atoms that were picked', () => {
  const form = {
    ...emptyForm(model),
    start: 'scaffold' as const,
    upload,
    records: [0],
    attach: [3, 8],
    atoms: 18,
  };
  const request = requestOf(form, model);
  expect(request?.from).toEqual({
    upload: 'u1',
    role: 'scaffold',
    records: [0],
    attach: [3, 8],
    strength: null,
  });
  expect(request?.request.beginning).toBe('noise');
  expect(request?.request.atoms).toBe(18);
});

test('a molecule to vary has a strength, and its own number of atoms', () => {
  const form = {
    ...emptyForm(model),
    start: 'vary' as const,
    upload,
    records: [0],
    atoms: 18,
    strength: 0.4,
  };
  const request = requestOf(form, model);
  expect(request?.from).toMatchObject({ role: 'vary', attach: null, strength: 0.4 });
  expect(request?.request.atoms).toBeNull();
});

test('nothing is asked as long as something is missing', () => {
  expect(requestOf({ ...emptyForm(model), start: 'formula' }, model)).toBeNull();
  expect(requestOf({ ...emptyForm(model), start: 'link' }, model)).toBeNull();
});

function fail(): never {
  throw new Error('no model of molecules');
}
