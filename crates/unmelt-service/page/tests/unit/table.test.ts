import { expect, test } from 'vitest';
import { ALL_SHOWN, arrange, columnsOf, type Shown } from '../../src/lib/table.ts';
import { models, molecules } from '../mock/fixtures.ts';

const model = models.find((one) => one.of === 'molecules');
const columns = columnsOf(model?.of === 'molecules' ? model.properties : [], molecules);

function shown(part: Partial<Shown>): number[] {
  return arrange(molecules, columns, { ...ALL_SHOWN, ...part }).map((molecule) => molecule.number);
}

test('columns are those that some molecule has', () => {
  expect(columns.map(({ name }) => name)).toEqual(['atoms', 'rings', 'logp', 'tpsa', 'qed']);
});

test('sorting goes both ways, and missing numbers come last both ways', () => {
  const without = { ...(molecules[0] ?? fail()), number: 999, properties: {} };
  for (const descending of [false, true]) {
    const sorted = arrange([without, ...molecules], columns, {
      ...ALL_SHOWN,
      sort: { column: 'logp', descending },
    });
    const values = sorted.slice(0, -1).map((molecule) => molecule.properties.logp ?? NaN);
    expect(values).toEqual([...values].sort((a, b) => (descending ? b - a : a - b)));
    expect(sorted.at(-1)?.number).toBe(999);
  }
});

test('a range, a word and a check all must hold', () => {
  const expected = molecules.filter(
    ({ properties, smiles, stable }) => (properties.logp ?? NaN) >= 0 && smiles.includes('N') && stable,
  );
  const numbers = shown({
    text: 'n',
    checks: { valid: false, connected: false, stable: true },
    ranges: { logp: { low: 0, high: null } },
  });
  expect(numbers).toEqual(
    expected.filter(({ smiles }) => /n/i.test(smiles)).map((molecule) => molecule.number),
  );
  expect(numbers.length).toBeGreaterThan(0);
  expect(numbers.length).toBeLessThan(molecules.length);
});

test('an open range lets through what has no number', () => {
  expect(shown({ ranges: { logp: { low: null, high: null } } })).toHaveLength(molecules.length);
});

function fail(): never {
  throw new Error('no molecules');
}
