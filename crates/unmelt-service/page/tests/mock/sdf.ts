import type { UploadedRecord } from '../../src/api.ts';
import { molecules } from './fixtures.ts';

/** Records of an SDF file of V2000, as the service would understand them. */
export function recordsOf(text: string): UploadedRecord[] {
  return text
    .split('$$$$')
    .map((record) => record.replace(/^\r?\n/, ''))
    .filter((record) => record.trim() !== '')
    .map((record, index) => {
      const lines = record.split('\n');
      const atoms = Number(lines[3]?.slice(0, 3));
      const bonds = Number(lines[3]?.slice(3, 6));
      const pairs = lines
        .slice(4 + atoms, 4 + atoms + bonds)
        .map((line) => [Number(line.slice(0, 3)) - 1, Number(line.slice(3, 6)) - 1]);
      const symbols = lines.slice(4, 4 + atoms).map((line) => line.slice(31, 34).trim());
      const known = molecules.find(({ sdf }) => sdf.slice(0, 200) === record.slice(0, 200));
      return {
        index,
        title: lines[0]?.trim() ?? '',
        smiles: known?.smiles ?? '',
        formula: known?.formula ?? '',
        atoms,
        sdf: record + '$$$$\n',
        attachable: symbols.flatMap((symbol, atom) => {
          const others = pairs.filter((pair) => pair.includes(atom)).flat();
          return symbol !== 'H' && others.some((other) => symbols[other] === 'H') ? [atom] : [];
        }),
      };
    });
}
