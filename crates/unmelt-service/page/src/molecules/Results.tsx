import { useMemo, useState } from 'preact/hooks';
import {
  api,
  asProblem,
  type Job,
  type MoleculeResult,
  type MoleculeRole,
  type MoleculesModel,
  type MoleculeState,
  type Problem,
} from '../api.ts';
import { counted } from '../lib/format.ts';
import { save } from '../lib/save.ts';
import { ALL_SHOWN, arrange, columnsOf, type Shown } from '../lib/table.ts';
import { Choice } from '../parts/Choice.tsx';
import { HistogramFilter } from '../parts/Histogram.tsx';
import { Icon } from '../parts/Icon.tsx';
import { ProblemBox } from '../parts/ProblemBox.tsx';
import { Emerging } from './Emerging.tsx';
import { Gallery } from './Gallery.tsx';
import { Inspector } from './Inspector.tsx';
import { MoleculeTable } from './MoleculeTable.tsx';

interface Props {
  job: Job;
  molecules: MoleculeResult[];
  state: MoleculeState | null;
  model: MoleculesModel;
  onUse: (molecule: MoleculeResult, role: MoleculeRole) => void;
}

/** Molecules that are shown at once. */
const AT_ONCE = 60;
const FORMATS = ['sdf', 'csv', 'parquet'] as const;
const VIEWS = [
  { value: 'gallery', label: 'Gallery', icon: 'grid' },
  { value: 'table', label: 'Table', icon: 'table' },
] as const;
const CHECKS = [
  { name: 'valid', label: 'Valid' },
  { name: 'connected', label: 'In one piece' },
  { name: 'stable', label: 'Stable' },
] as const;

/** What a job has made: filters, gallery or table, one molecule in three dimensions, downloads. */
export function Results({ job, molecules, state, model, onUse }: Props) {
  const [view, setView] = useState<'gallery' | 'table'>('gallery');
  const [shown, setShown] = useState<Shown>(ALL_SHOWN);
  const [limit, setLimit] = useState(AT_ONCE);
  const [chosen, setChosen] = useState<number | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<number>>(new Set());
  const [problem, setProblem] = useState<Problem | null>(null);

  const columns = useMemo(() => columnsOf(model.properties, molecules), [model, molecules]);
  const arranged = useMemo(() => arrange(molecules, columns, shown), [molecules, columns, shown]);
  const isRunning = state !== null && chosen === null;
  const current = molecules.find(({ number }) => number === chosen) ?? (isRunning ? undefined : arranged[0]);
  const targets =
    job.request.kind === 'molecules.generate' ? Object.fromEntries(job.request.request.targets) : {};
  const change = (part: Partial<Shown>) => setShown({ ...shown, ...part });

  const select = (number: number, isSelected: boolean) => {
    const next = new Set(selected);
    if (isSelected) next.add(number);
    else next.delete(number);
    setSelected(next);
  };
  const wanted = selected.size > 0 ? arranged.filter(({ number }) => selected.has(number)) : arranged;
  const download = async (format: (typeof FORMATS)[number]) => {
    try {
      setProblem(null);
      const blob = await api.exportMolecules(
        job.id,
        format,
        wanted.map(({ number }) => number),
      );
      save(blob, `molecules.${format}`);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const list = {
    molecules: arranged.slice(0, limit),
    columns,
    current: current?.number ?? null,
    selected,
    onLook: setChosen,
    onSelect: select,
  };
  const isFiltered = arranged.length < molecules.length;

  return (
    <div class="results">
      <div class="results-main">
        {molecules.length > 1 && (
          <details class="filters" open>
            <summary>Filter</summary>
            <div class="filter-line">
              <input
                type="search"
                placeholder="SMILES or formula contains"
                aria-label="SMILES or formula contains"
                value={shown.text}
                onInput={(event) => change({ text: event.currentTarget.value })}
              />
              {CHECKS.map(({ name, label }) => (
                <label key={name} class="check">
                  <input
                    type="checkbox"
                    checked={shown.checks[name]}
                    onChange={(event) =>
                      change({ checks: { ...shown.checks, [name]: event.currentTarget.checked } })
                    }
                  />
                  {label}
                </label>
              ))}
              {isFiltered && (
                <button
                  type="button"
                  class="link"
                  onClick={() => setShown({ ...ALL_SHOWN, sort: shown.sort })}
                >
                  Show all
                </button>
              )}
            </div>
            <div class="histograms">
              {columns.map((column) => (
                <HistogramFilter
                  key={column.name}
                  column={column}
                  molecules={molecules}
                  range={shown.ranges[column.name] ?? { low: null, high: null }}
                  target={targets[column.name]}
                  onChange={(range) => change({ ranges: { ...shown.ranges, [column.name]: range } })}
                />
              ))}
            </div>
          </details>
        )}
        <div class="toolbar">
          <span class="toolbar-count" aria-live="polite">
            {isFiltered
              ? `${arranged.length} of ${counted(molecules.length, 'molecule')}`
              : counted(molecules.length, 'molecule')}
            {selected.size > 0 && `, ${selected.size} selected`}
          </span>
          {arranged.length > 0 && (
            <button
              type="button"
              class="link"
              onClick={() =>
                setSelected(selected.size > 0 ? new Set() : new Set(arranged.map(({ number }) => number)))
              }
            >
              {selected.size > 0 ? 'Select none' : 'Select all'}
            </button>
          )}
          <span class="spring" />
          <span class="downloads">
            <Icon name="download" />
            {selected.size > 0 ? `${wanted.length} as` : 'Download'}
            {FORMATS.map((format) => (
              <button
                key={format}
                type="button"
                class="quiet"
                disabled={wanted.length === 0}
                onClick={() => void download(format)}
              >
                {format === 'parquet' ? 'Parquet' : format.toUpperCase()}
              </button>
            ))}
          </span>
          <Choice label="Show as" isLabelHidden value={view} options={VIEWS} onChange={setView} />
        </div>
        {problem !== null && <ProblemBox problem={problem} />}
        {view === 'gallery' ? (
          <Gallery {...list} />
        ) : (
          <MoleculeTable {...list} sort={shown.sort} onSort={(sort) => change({ sort })} />
        )}
        {arranged.length > limit && (
          <button type="button" class="quiet wide" onClick={() => setLimit(limit + AT_ONCE)}>
            Show {Math.min(AT_ONCE, arranged.length - limit)} more
          </button>
        )}
      </div>
      <aside class="results-side" aria-label="One molecule">
        {current !== undefined && (
          <Inspector
            molecule={current}
            properties={model.properties}
            targets={targets}
            roles={model.roles}
            onUse={onUse}
          />
        )}
        {current === undefined && state !== null && <Emerging state={state} />}
      </aside>
    </div>
  );
}
