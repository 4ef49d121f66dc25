import { number } from '../lib/format.ts';
import type { Shown } from '../lib/table.ts';
import { Icon } from '../parts/Icon.tsx';
import { Formula, type ListProps } from './Gallery.tsx';

interface Props extends ListProps {
  sort: Shown['sort'];
  onSort: (sort: Shown['sort']) => void;
}

/** The molecules as rows. */
export function MoleculeTable(props: Props) {
  const { molecules, columns, current, selected, sort, onSort, onLook, onSelect } = props;
  const heading = (name: string, label: string, unit = '') => {
    const isSorted = sort.column === name;
    const direction = isSorted ? (sort.descending ? 'descending' : 'ascending') : 'none';
    return (
      <th scope="col" aria-sort={direction} key={name}>
        <button
          type="button"
          onClick={() => onSort({ column: name, descending: isSorted && !sort.descending })}
        >
          {label}
          {unit !== '' && <span class="unit"> {unit}</span>}
          <span class="sort-mark" aria-hidden="true">
            {isSorted ? (sort.descending ? '↓' : '↑') : ''}
          </span>
        </button>
      </th>
    );
  };
  return (
    <div class="table-frame" tabIndex={0} role="region" aria-label="Table of molecules">
      <table class="data">
        <thead>
          <tr>
            <th scope="col">
              <span class="unseen">Selected</span>
            </th>
            {heading('number', 'No.')}
            {heading('formula', 'Formula')}
            {heading('smiles', 'SMILES')}
            {columns.map((column) => heading(column.name, column.label, column.unit))}
            <th scope="col">Valid</th>
            <th scope="col">Stable</th>
          </tr>
        </thead>
        <tbody>
          {molecules.map((molecule) => (
            <tr key={molecule.number} class={molecule.number === current ? 'is-current' : ''}>
              <td>
                <input
                  type="checkbox"
                  checked={selected.has(molecule.number)}
                  aria-label={`Select molecule ${molecule.number}`}
                  onChange={(event) => onSelect(molecule.number, event.currentTarget.checked)}
                />
              </td>
              <td class="num">
                <button
                  type="button"
                  class="link"
                  aria-label={`Look at molecule ${molecule.number}`}
                  onClick={() => onLook(molecule.number)}
                >
                  {molecule.number}
                </button>
              </td>
              <td>
                <Formula text={molecule.formula} />
              </td>
              <td class="smiles">{molecule.smiles}</td>
              {columns.map((column) => (
                <td key={column.name} class="num">
                  {number(column.of(molecule))}
                </td>
              ))}
              <Mark isTrue={molecule.valid && molecule.connected} />
              <Mark isTrue={molecule.stable} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Mark({ isTrue }: { isTrue: boolean }) {
  return (
    <td class={isTrue ? 'mark is-true' : 'mark'}>
      {isTrue ? <Icon name="check" /> : <Icon name="close" />}
      <span class="unseen">{isTrue ? 'yes' : 'no'}</span>
    </td>
  );
}
