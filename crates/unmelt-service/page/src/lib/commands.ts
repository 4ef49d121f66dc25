/** A request as the texts that make it again: Python, curl and the command line. */

import type { JobRequest, MoleculesGenerate, Triple, VolumesEnhance } from '../api.ts';

export interface Commands {
  python: string;
  curl: string;
  shell: string;
}

/** What a request refers to by id, by the names of files that the reader has. */
export interface Files {
  /** Names of uploads by id. */
  names: Record<string, string>;
  /** Name of the solver, where it is not the usual one. */
  solver: string | null;
}

/** A word quoted for a POSIX shell where it must be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

type Literal = string | number | string[] | number[] | Record<string, number>;

/** A value as a Python literal. */
function python(value: Literal): string {
  if (Array.isArray(value)) return `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const items = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${item}`);
  return `{${items.join(', ')}}`;
}

type Option = [name: string, value: string];

function fileOf(files: Files, upload: string): string {
  return files.names[upload] ?? 'FILE';
}

function moleculeOptions(request: MoleculesGenerate, files: Files): Option[] {
  const { request: r, from } = request;
  const options: Option[] = [
    ['count', String(request.count)],
    ['seed', String(r.seed)],
    ['steps', String(r.steps)],
  ];
  if (request.first > 0) options.push(['first', String(request.first)]);
  if (request.model !== 'qm9') options.push(['model', request.model]);
  if (files.solver !== null) options.push(['solver', files.solver]);
  if (r.temperature !== 1) options.push(['temperature', String(r.temperature)]);
  if (r.atoms !== null) options.push(['atoms', String(r.atoms)]);
  for (const [name, value] of r.targets) options.push(['property', `${name}=${value}`]);
  if (r.targets.length > 0) options.push(['guidance', String(r.guidance)]);
  if (r.candidates !== null) options.push(['candidates', String(r.candidates)]);
  if (typeof r.beginning === 'object' && 'formula' in r.beginning) {
    options.push(['formula', r.beginning.formula]);
  }
  if (from !== null) {
    options.push([from.role, fileOf(files, from.upload)]);
    if (from.attach !== null) options.push(['attach', from.attach.map((atom) => atom + 1).join(',')]);
    if (from.strength !== null) options.push(['strength', String(from.strength)]);
  }
  if (request.filters.length > 0) options.push(['filter', request.filters.join(',')]);
  if (request.contains.length > 0) options.push(['contains', request.contains.join(',')]);
  return options;
}

function shellLine(words: string[], options: Option[]): string {
  const lines = options.map(([name, value]) => `--${name} ${shellWord(value)}`);
  return [words.map(shellWord).join(' '), ...lines].join(' \\\n  ');
}

function moleculesPython(request: MoleculesGenerate, files: Files): string {
  const { request: r, from } = request;
  const lines = ['import unmelt', ''];
  const given: string[] = [String(request.count), `seed=${r.seed}`, `steps=${r.steps}`];
  const add = (name: string, value: Literal) => given.push(`${name}=${python(value)}`);
  let call = 'unmelt.molecules.generate';
  if (from !== null) {
    lines.push(`molecules = unmelt.molecules.read(${python(fileOf(files, from.upload))})`);
    const records = from.records.map((record) => `molecules[${record}]`);
    const first = records[0] ?? 'molecules[0]';
    if (from.role === 'vary') {
      call = 'unmelt.molecules.vary';
      given.unshift(first);
      if (from.strength !== null) add('strength', from.strength);
    } else {
      call = from.role === 'link' ? 'unmelt.molecules.link' : 'unmelt.molecules.grow';
      given.unshift(from.role === 'link' ? `[${records.join(', ')}]` : first);
      if (from.attach !== null) add('attach', from.attach);
    }
  }
  if (request.first > 0) add('first', request.first);
  if (request.model !== 'qm9') add('model', request.model);
  if (files.solver !== null) add('solver', files.solver);
  if (r.temperature !== 1) add('temperature', r.temperature);
  if (r.atoms !== null) add('atoms', r.atoms);
  if (r.targets.length > 0) {
    add('properties', Object.fromEntries(r.targets));
    add('guidance', r.guidance);
  }
  if (r.candidates !== null) add('candidates', r.candidates);
  if (typeof r.beginning === 'object' && 'formula' in r.beginning) add('formula', r.beginning.formula);
  if (request.filters.length > 0) add('filters', request.filters);
  if (request.contains.length > 0) add('contains', request.contains);
  lines.push(`result = ${call}(\n    ${given.join(',\n    ')},\n)`, 'result.save("molecules.sdf")');
  return lines.join('\n');
}

const SIDES = [
  ['left', 'right'],
  ['back', 'front'],
  ['bottom', 'top'],
] as const;

function extension(low: Triple, high: Triple): [string, number][] {
  const sides = SIDES.flatMap(([below, above], axis): [string, number][] => [
    [below, low[axis] ?? 0],
    [above, high[axis] ?? 0],
  ]);
  return sides.filter(([, mm]) => mm > 0);
}

function taskOptions(request: VolumesEnhance, files: Files): Option[] {
  const { task } = request;
  switch (task.kind) {
    case 'denoise': {
      const options: Option[] = [];
      if (task.sigma !== null) options.push(['sigma', String(task.sigma)]);
      if (task.rician !== null) options.push(['noise', task.rician ? 'rician' : 'gaussian']);
      return options;
    }
    case 'super-resolve':
      return [
        ['spacing', task.spacing.join(',')],
        ['profile', task.profile],
      ];
    case 'inpaint':
    case 'kspace':
      return [['mask', fileOf(files, task.mask)]];
    case 'outpaint':
      return [
        [
          'extend',
          extension(task.low_mm, task.high_mm)
            .map(([side, mm]) => `${side}=${mm}`)
            .join(','),
        ],
      ];
  }
}

function volumeShell(request: VolumesEnhance, files: Files): string {
  const { settings } = request;
  const options: Option[] = [
    ['task', request.task.kind],
    ...taskOptions(request, files),
    ['samples', String(settings.samples)],
    ['steps', String(settings.steps)],
    ['seed', String(settings.seed)],
    ['output', 'out.nii.gz'],
  ];
  if (request.model !== 'brain-mri') options.push(['model', request.model]);
  if (settings.solver !== null) options.push(['solver', settings.solver]);
  if (settings.samples > 1) options.push(['std', 'deviation.nii.gz']);
  return shellLine(['unmelt', 'volumes', 'enhance', fileOf(files, request.scan)], options);
}

const CALLS: Record<VolumesEnhance['task']['kind'], string> = {
  denoise: 'denoise',
  'super-resolve': 'super_resolve',
  inpaint: 'inpaint',
  outpaint: 'outpaint',
  kspace: 'reconstruct',
};

function volumePython(request: VolumesEnhance, files: Files): string {
  const { task, settings } = request;
  const isKspace = task.kind === 'kspace';
  const given = [isKspace ? 'kspace' : 'scan'];
  if (task.kind === 'denoise' && task.sigma !== null) given.push(`sigma=${task.sigma}`);
  if (task.kind === 'denoise' && task.rician !== null) {
    given.push(`noise=${python(task.rician ? 'rician' : 'gaussian')}`);
  }
  if (task.kind === 'super-resolve') {
    given.push(`spacing=(${task.spacing.join(', ')})`, `profile=${python(task.profile)}`);
  }
  if (task.kind === 'inpaint') given.push(`mask=${python(fileOf(files, task.mask))}`);
  if (task.kind === 'outpaint') {
    given.push(`extend=${python(Object.fromEntries(extension(task.low_mm, task.high_mm)))}`);
  }
  given.push(`samples=${settings.samples}`, `steps=${settings.steps}`, `seed=${settings.seed}`);
  if (request.model !== 'brain-mri') given.push(`model=${python(request.model)}`);
  if (settings.solver !== null) given.push(`solver=${python(settings.solver)}`);
  const input = isKspace
    ? [
        'import numpy',
        'import unmelt',
        '',
        'kspace = numpy.load("kspace.npy")  # 0 where nothing was sampled',
      ]
    : ['import unmelt', '', `scan = unmelt.volumes.read(${python(fileOf(files, request.scan))})`];
  return [
    ...input,
    `out = unmelt.volumes.${CALLS[task.kind]}(\n    ${given.join(',\n    ')},\n)`,
    'out.mean.save("out.nii.gz")',
  ].join('\n');
}

/** The texts for a request, sent to the service at `origin`. */
export function commandsOf(request: JobRequest, origin: string, files: Files): Commands {
  const body = JSON.stringify(request);
  const curl = `curl ${shellWord(origin + '/v1/jobs')} \\\n  -H 'content-type: application/json' \\\n  -d ${shellWord(body)}`;
  switch (request.kind) {
    case 'molecules.generate':
      return {
        python: moleculesPython(request, files),
        curl,
        shell: shellLine(
          ['unmelt', 'molecules', 'generate'],
          [...moleculeOptions(request, files), ['output', 'molecules.sdf']],
        ),
      };
    case 'volumes.enhance':
      return { python: volumePython(request, files), curl, shell: volumeShell(request, files) };
    case 'replay':
      return {
        python: 'import unmelt\n\nunmelt.replay("FILE")',
        curl,
        shell: 'unmelt replay FILE',
      };
  }
}
