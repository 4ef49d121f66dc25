/** The HTTP interface of the service: every JSON shape, and a client of what the page asks. `API.md` says the same in words. */

// ---------------------------------------------------------------------------------------------------------------------
// Requests

/** Atoms and bonds, as the library's `Molecule` is serialised. */
export interface MoleculeGraph {
  /** Element, formal charge, position in Å, mass number (0: natural), unpaired electrons. */
  atoms: [string, number, [number, number, number], number, number][];
  /** First atom and second atom from 0, and the order's code in SDF files (1, 2, 3, 4 aromatic). */
  bonds: [number, number, number][];
}

/** What molecules begin from: the library's `Beginning`. */
export type Beginning =
  | 'noise'
  | { formula: string }
  | { fragments: { molecule: MoleculeGraph; open: boolean[] } }
  | { molecule: { molecule: MoleculeGraph; strength: number } };

/** The library's `GenerateRequest`. Every field is sent; a model's `defaults` say the usual values. */
export interface GenerateRequest {
  steps: number;
  solver: unknown;
  grid: unknown;
  temperature: number;
  seed: number;
  atoms: number | null;
  beginning: Beginning;
  targets: [string, number][];
  guidance: number;
  candidates: number | null;
}

export type MoleculeRole = 'scaffold' | 'link' | 'vary';

/** Molecules of an upload that the server makes the request's `beginning` of. */
export interface MoleculesFrom {
  upload: string;
  role: MoleculeRole;
  /** Records of the upload, from 0. One for `scaffold` and `vary`, any number for `link`. */
  records: number[];
  /** Atoms from 0, through all records in order, that may bear what is new; null: those with an open valence. */
  attach: number[] | null;
  /** For `vary`, above 0 to 1; null for the others. */
  strength: number | null;
}

export type FilterName = 'valid' | 'connected' | 'stable' | 'unique' | 'novel';

export interface MoleculesGenerate {
  kind: 'molecules.generate';
  model: string;
  count: number;
  /** Number of the first molecule within the seed. */
  first: number;
  request: GenerateRequest;
  /** With it `request.beginning` is "noise". */
  from: MoleculesFrom | null;
  filters: FilterName[];
  /** Limits on elements, such as "N>=1" and "F=0". */
  contains: string[];
  max_draws: number;
}

export type Profile = 'box' | 'gaussian';
export type Triple = [number, number, number];

/** What to do with a scan; axes are right, front, top. */
export type VolumeTask =
  | { kind: 'denoise'; sigma: number | null; rician: boolean | null }
  | { kind: 'super-resolve'; spacing: Triple; profile: Profile }
  | { kind: 'inpaint'; mask: string }
  | { kind: 'outpaint'; low_mm: Triple; high_mm: Triple }
  | { kind: 'kspace'; mask: string };

export type TaskName = VolumeTask['kind'];

/** The library's `EnhanceSettings`. */
export interface EnhanceSettings {
  solver: string | null;
  steps: number;
  seed: number;
  samples: number;
  sigma_max: number | null;
  sigma_min: number;
  halo: number;
}

export interface VolumesEnhance {
  kind: 'volumes.enhance';
  model: string;
  /** Upload of the scan. */
  scan: string;
  /** Number of the series in the upload, where it holds several. */
  series: number | null;
  /** Upload of the truth, for PSNR. */
  truth: string | null;
  task: VolumeTask;
  settings: EnhanceSettings;
}

/** A finished job made again, and compared bit for bit. */
export interface Replay {
  kind: 'replay';
  job: string;
}

export type JobRequest = MoleculesGenerate | VolumesEnhance | Replay;
export type JobKind = JobRequest['kind'];

// ---------------------------------------------------------------------------------------------------------------------
// Jobs

export type JobState = 'queued' | 'running' | 'finished' | 'failed' | 'cancelled';

export interface Progress {
  phase: 'estimating' | 'sampling' | 'calibrating';
  /** Evaluations of the network made for the samples at work. */
  step: number;
  /** Evaluations that a sample takes. */
  steps: number;
  /** Samples that are finished. */
  finished: number;
  /** Samples that are wanted. */
  samples: number;
}

/** What will be done, said before it is done. */
export interface Plan {
  model: { name: string; digest: string };
  seed: number;
  samples: number;
  evaluations: number;
  memory_bytes: number;
  /** From the measured rate; null where none was measured. */
  estimate_seconds: number | null;
  /** What the request left open, and what it was set to. */
  filled_in: { field: string; value: string }[];
  warnings: string[];
}

export interface Artifact {
  name: string;
  digest: string;
  bytes: number;
  media_type: string;
  expires_at: string | null;
}

export interface MoleculesOutcome {
  kind: 'molecules';
  drawn: number;
  kept: number;
  /** Parts of all that were drawn, from 0 to 1. */
  valid: number;
  connected: number;
  stable: number;
  unique: number;
  novel: number | null;
}

/** A number about a scan, with its meaning. */
export interface Measure {
  name: string;
  label: string;
  value: number;
  unit: string;
  meaning: string;
}

export interface VolumesOutcome {
  kind: 'volumes';
  measures: Measure[];
  /** Whether the interval was calibrated to cover 90 %. Null where one sample was made. */
  calibrated: boolean | null;
}

export interface ReplayOutcome {
  kind: 'replay';
  identical: boolean;
  differences: string[];
}

export type Outcome = MoleculesOutcome | VolumesOutcome | ReplayOutcome;

export interface Job {
  id: string;
  owner: string;
  state: JobState;
  /** Jobs before it; 0 is next, null unless queued. */
  position: number | null;
  progress: Progress | null;
  /** Seconds until it ends. */
  estimate_seconds: number | null;
  submitted_at: string;
  started_at: string | null;
  ended_at: string | null;
  request: JobRequest;
  plan: Plan;
  outcome: Outcome | null;
  artifacts: Artifact[];
  error: Problem | null;
  pinned: boolean;
}

export interface JobPage {
  jobs: Job[];
  /** For the next page; null on the last. */
  cursor: string | null;
}

// ---------------------------------------------------------------------------------------------------------------------
// Events

/** A generated molecule. */
export interface MoleculeResult {
  /** From 0, in the order of the files. */
  number: number;
  seed: number;
  sample: number;
  /** One SDF record with bonds and positions. */
  sdf: string;
  smiles: string;
  formula: string;
  atoms: number;
  rings: number;
  valid: boolean;
  connected: boolean;
  stable: boolean;
  key: string;
  /** Estimates of the network by the names of the model's properties. */
  properties: Record<string, number>;
}

/** A molecule on its way out of noise. */
export interface MoleculeState {
  kind: 'molecule';
  number: number;
  step: number;
  steps: number;
  elements: string[];
  /** In Å. */
  positions: Triple[];
}

/** A middle slice of a volume on its way. */
export interface SliceState {
  kind: 'slice';
  step: number;
  steps: number;
  plane: 'axial' | 'coronal' | 'sagittal';
  width: number;
  height: number;
  /** Base64 of width × height greys of 8 bits, rows from the top as a radiologist looks at it. */
  pixels: string;
  /** Width of a pixel over its height. */
  aspect: number;
}

export type IntermediateState = MoleculeState | SliceState;

export interface ProgressEvent {
  state: JobState;
  position: number | null;
  progress: Progress | null;
  estimate_seconds: number | null;
}

/** Who hears a job. Each event has a number, from which a broken connection resumes. */
export interface JobListener {
  progress?: (event: ProgressEvent) => void;
  molecule?: (event: MoleculeResult) => void;
  state?: (event: IntermediateState) => void;
  /** The job ended, in whatever state; the last event. */
  done?: (job: Job) => void;
  /** The job failed, or the stream cannot be had; the last event. */
  error?: (problem: Problem) => void;
}

// ---------------------------------------------------------------------------------------------------------------------
// Uploads

export interface UploadedRecord {
  index: number;
  title: string;
  smiles: string;
  formula: string;
  atoms: number;
  /** One SDF record with hydrogens, as the library read it. */
  sdf: string;
  /** Where atoms that something can be attached to are: with an open valence or a hydrogen to give up. */
  attachable: number[];
}

export interface SeriesUnderstood {
  number: number;
  /** Modality and protocol; never a name, a date or an identifier. */
  description: string;
  modality: string | null;
  /** "T1", "T2", "FLAIR" …; null where nothing says. */
  contrast: string | null;
  shape: Triple;
  spacing_mm: Triple;
  /** Directions of the stored axes, "RAS". */
  orientation: string;
  intensity_range: [number, number];
  noise: { sigma: number; rician: boolean } | null;
  instances: number;
}

export type Understood =
  | { kind: 'molecules'; records: UploadedRecord[]; warnings: string[] }
  | { kind: 'volume'; format: 'nifti' | 'dicom'; series: SeriesUnderstood[]; warnings: string[] };

export interface Upload {
  id: string;
  name: string;
  bytes: number;
  digest: string;
  expires_at: string;
  understood: Understood;
}

// ---------------------------------------------------------------------------------------------------------------------
// Models, places to send to, session, administration

export interface ModelProperty {
  name: string;
  label: string;
  unit: string;
  mean: number;
  deviation: number;
  range: [number, number];
}

/** A row of the card's measured numbers. */
export interface Measured {
  name: string;
  value: number;
}

interface ModelBase {
  name: string;
  digest: string;
  description: string;
  bytes: number;
  parameters: number;
  trained_by: string;
  data: string;
  measured: Measured[];
  protocol: string;
  licence: string;
  limits: string[];
}

export interface MoleculesModel extends ModelBase {
  of: 'molecules';
  elements: string[];
  /** Fewest and most atoms of the training data, hydrogens included. */
  atoms: [number, number];
  properties: ModelProperty[];
  roles: MoleculeRole[];
  knows_training_data: boolean;
  defaults: GenerateRequest;
  solvers: { name: string; solver: unknown }[];
}

export interface VolumesModel extends ModelBase {
  of: 'volumes';
  trained_on: string;
  modalities: string[];
  spacing_mm: [number, number];
  tasks: TaskName[];
  /** Tasks whose interval was calibrated. */
  calibrated: TaskName[];
  defaults: EnhanceSettings;
  solvers: string[];
}

export type Model = MoleculesModel | VolumesModel;

export interface Destination {
  name: string;
  title: string;
  kind: 'dimse' | 'dicomweb';
}

export interface Delivery {
  destination: string;
  state: 'waiting' | 'sending' | 'sent' | 'failed';
  sent: number;
  instances: number;
  message: string | null;
}

export interface Session {
  /** Null where no one is signed in. */
  user: string | null;
  scopes: string[];
  /** How to sign in; "none" on a loopback without tokens. */
  sign_in: 'none' | 'token';
  version: string;
  upload_limit_bytes: number;
  retention_days: number | null;
}

export interface Health {
  ready: boolean;
  checks: { name: string; ok: boolean; message: string }[];
}

export interface Token {
  name: string;
  scopes: string[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

export interface NewToken {
  name: string;
  scopes: string[];
  expires_at: string | null;
}

export interface Quota {
  user: string;
  queued: number;
  queued_limit: number;
  artifact_bytes: number;
  artifact_limit_bytes: number;
}

export interface Disk {
  total_bytes: number;
  free_bytes: number;
  used: { what: string; bytes: number }[];
}

// ---------------------------------------------------------------------------------------------------------------------
// Errors

/** RFC 9457, with the fields at fault. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  /** Path of each field as in the request, "request.steps", with a sentence. */
  fields: { field: string; message: string }[];
  /** Seconds after which to try again, with 429 and 503. */
  retry_after: number | null;
}

export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

function plainProblem(status: number, title: string, detail: string): Problem {
  return { type: 'about:blank', title, status, detail, fields: [], retry_after: null };
}

async function problemOf(response: Response): Promise<Problem> {
  const plain = plainProblem(
    response.status,
    response.statusText,
    `The server answered ${response.status} ${response.statusText}.`,
  );
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json');
  if (!isProblem) return plain;
  return { ...plain, ...((await response.json()) as Partial<Problem>) };
}

/** The problem behind whatever was thrown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return plainProblem(0, 'No answer', 'The server does not answer. Is it running?');
}

// ---------------------------------------------------------------------------------------------------------------------
// Client

async function send(method: string, path: string, body?: BodyInit, type?: string): Promise<Response> {
  const response = await fetch(path, {
    method,
    body,
    headers: type === undefined ? {} : { 'content-type': type },
    credentials: 'same-origin',
  });
  if (!response.ok) throw new ApiError(await problemOf(response));
  return response;
}

async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response =
    body === undefined
      ? await send(method, path)
      : await send(method, path, JSON.stringify(body), 'application/json');
  return (response.status === 204 ? undefined : await response.json()) as T;
}

const at = (...parts: string[]) => '/v1/' + parts.map(encodeURIComponent).join('/');

export interface JobQuery {
  state?: JobState;
  kind?: JobKind;
  cursor?: string;
  limit?: number;
}

function query(parameters: object): string {
  const pairs = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return pairs.length === 0
    ? ''
    : '?' + new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
}

export const api = {
  session: () => json<Session>('GET', '/v1/session'),
  signIn: (token: string) => json<Session>('POST', '/v1/session', { token }),
  signOut: () => json<undefined>('DELETE', '/v1/session'),
  ready: async (): Promise<Health> => {
    const response = await fetch('/health/ready');
    return (await response.json()) as Health;
  },

  models: () => json<Model[]>('GET', '/v1/models'),
  plan: (request: JobRequest) => json<Plan>('POST', '/v1/plan', request),

  submit: (request: JobRequest) => json<Job>('POST', '/v1/jobs', request),
  jobs: (filter: JobQuery) => json<JobPage>('GET', '/v1/jobs' + query(filter)),
  job: (id: string) => json<Job>('GET', at('jobs', id)),
  cancel: (id: string) => json<Job>('DELETE', at('jobs', id)),
  forget: (id: string) => json<undefined>('DELETE', at('jobs', id) + '?forget=true'),
  pin: (id: string) => json<Job>('PUT', at('jobs', id, 'pin')),
  unpin: (id: string) => json<Job>('DELETE', at('jobs', id, 'pin')),
  artifactUrl: (id: string, name: string) => at('jobs', id, 'artifacts', name),
  exportMolecules: async (id: string, format: 'sdf' | 'csv' | 'parquet', numbers: number[]) => {
    const body = JSON.stringify({ format, numbers });
    return (await send('POST', at('jobs', id, 'export'), body, 'application/json')).blob();
  },
  deliver: (id: string, destination: string) =>
    json<Delivery>('POST', at('jobs', id, 'deliveries'), { destination }),
  deliveries: (id: string) => json<Delivery[]>('GET', at('jobs', id, 'deliveries')),
  destinations: () => json<Destination[]>('GET', '/v1/destinations'),

  upload: async (name: string, body: Blob, type: string): Promise<Upload> => {
    const response = await send('POST', '/v1/uploads' + query({ name }), body, type);
    return (await response.json()) as Upload;
  },
  /** NIfTI of a series of an upload, to look at. */
  uploadViewUrl: (id: string, series: number) => at('uploads', id, 'view.nii.gz') + query({ series }),

  tokens: () => json<Token[]>('GET', '/v1/admin/tokens'),
  createToken: (token: NewToken) => json<{ token: Token; secret: string }>('POST', '/v1/admin/tokens', token),
  revokeToken: (name: string) => json<undefined>('DELETE', at('admin', 'tokens', name)),
  quotas: () => json<Quota[]>('GET', '/v1/admin/quotas'),
  setQuota: (user: string, limits: Pick<Quota, 'queued_limit' | 'artifact_limit_bytes'>) =>
    json<Quota>('PUT', at('admin', 'quotas', user), limits),
  disk: () => json<Disk>('GET', '/v1/admin/disk'),
};

/**
 * Hears the events of a job from its first one, until it ends or the function returned is called. The browser connects
 * again by itself after a lost connection, and says by `Last-Event-ID` where to go on.
 */
export function watch(id: string, listener: JobListener): () => void {
  const source = new EventSource(at('jobs', id, 'events'));
  const on = (name: keyof JobListener, isLast: boolean, hear: (data: string) => void) =>
    source.addEventListener(name, (event) => {
      // A lost connection is an event of the name "error", too, without data.
      if (!(event instanceof MessageEvent) || typeof event.data !== 'string') return;
      if (isLast) source.close();
      hear(event.data);
    });
  on('progress', false, (data) => listener.progress?.(JSON.parse(data) as ProgressEvent));
  on('molecule', false, (data) => listener.molecule?.(JSON.parse(data) as MoleculeResult));
  on('state', false, (data) => listener.state?.(JSON.parse(data) as IntermediateState));
  on('done', true, (data) => listener.done?.(JSON.parse(data) as Job));
  on('error', true, (data) => listener.error?.(JSON.parse(data) as Problem));
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return;
    listener.error?.(plainProblem(0, 'No events', 'The events of this job cannot be had.'));
  };
  return () => {
    source.close();
  };
}
