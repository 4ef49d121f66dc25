import type { ModelProperty, MoleculeResult } from '../api.ts';

/** A numeric column of the molecules. */
export interface Column {
  name: string;
  label: string;
  unit: string;
  of: (molecule: MoleculeResult) => number;
}

/** The columns of molecules of a model: what the graph says, then the properties that at least one of them has. */
export function columnsOf(properties: ModelProperty[], molecules: MoleculeResult[]): Column[] {
  const has = (name: string) => molecules.some((molecule) => name in molecule.properties);
  return [
    { name: 'atoms', label: 'Atoms', unit: '', of: (molecule) => molecule.atoms },
    { name: 'rings', label: 'Rings', unit: '', of: (molecule) => molecule.rings },
    ...properties
      .filter((property) => has(property.name))
      .map(({ name, label, unit }) => ({
        name,
        label,
        unit,
        of: (molecule: MoleculeResult) => molecule.properties[name] ?? NaN,
      })),
  ];
}

/** A range of a column; an end of null is open. */
export interface Range {
  low: number | null;
  high: number | null;
}

/** What of the molecules is shown. */
export interface Shown {
  text: string;
  checks: { valid: boolean; connected: boolean; stable: boolean };
  ranges: Record<string, Range>;
  sort: { column: string; descending: boolean };
}

export const ALL_SHOWN: Shown = {
  text: '',
  checks: { valid: false, connected: false, stable: false },
  ranges: {},
  sort: { column: 'number', descending: false },
};

function within(value: number, range: Range): boolean {
  if (range.low === null && range.high === null) return true;
  return value >= (range.low ?? -Infinity) && value <= (range.high ?? Infinity);
}

/** Molecules that pass, in order. Numbers that are missing come last, whatever the direction. */
export function arrange(molecules: MoleculeResult[], columns: Column[], shown: Shown): MoleculeResult[] {
  const text = shown.text.trim().toLowerCase();
  const ranged = columns.flatMap((column) => {
    const range = shown.ranges[column.name];
    return range === undefined ? [] : [{ column, range }];
  });
  const passes = (molecule: MoleculeResult) =>
    (!shown.checks.valid || molecule.valid) &&
    (!shown.checks.connected || molecule.connected) &&
    (!shown.checks.stable || molecule.stable) &&
    (text === '' ||
      molecule.smiles.toLowerCase().includes(text) ||
      molecule.formula.toLowerCase().includes(text)) &&
    ranged.every(({ column, range }) => within(column.of(molecule), range));
  return molecules.filter(passes).sort(order(columns, shown.sort));
}

function order(columns: Column[], sort: Shown['sort']) {
  const sign = sort.descending ? -1 : 1;
  const column = columns.find(({ name }) => name === sort.column);
  return (a: MoleculeResult, b: MoleculeResult): number => {
    if (sort.column === 'formula' || sort.column === 'smiles') {
      return sign * a[sort.column].localeCompare(b[sort.column], 'en') || a.number - b.number;
    }
    if (column === undefined) return sign * (a.number - b.number);
    const [x, y] = [column.of(a), column.of(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return sign * (x - y) || a.number - b.number;
  };
}
