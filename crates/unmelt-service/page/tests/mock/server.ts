import { createHash } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type {
  Delivery,
  JobRequest,
  NewToken,
  Quota,
  Session,
  Token,
  Understood,
  Upload,
} from '../../src/api.ts';
import { models, scans } from './fixtures.ts';
import { csv, Jobs, sdf } from './jobs.ts';
import { planOf } from './plan.ts';
import { Refusal } from './problem.ts';
import { recordsOf } from './sdf.ts';

/** What the service answers every file of the page with; `API.md` says why. */
export const POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface MockOptions {
  port?: number;
  /** Milliseconds of a step of a job. */
  beat?: number;
  /** Step at which jobs wait until they are released. */
  holdAt?: number;
  /** Whether one must sign in; the token is "secret". */
  isGuarded?: boolean;
}

export interface Mock {
  url: string;
  jobs: Jobs;
  uploads: Map<string, Upload>;
  stop: () => Promise<void>;
}

/** A server that speaks `API.md`, with jobs that only pretend to work. */
export async function startMock(options: MockOptions = {}): Promise<Mock> {
  const state = new State(options);
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error: unknown) => refuse(response, error));
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    jobs: state.jobs,
    uploads: state.uploads,
    stop: () => stop(server, state),
  };
}

function stop(server: Server, state: State): Promise<void> {
  state.jobs.stop();
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

class State {
  readonly jobs: Jobs;
  readonly uploads = new Map<string, Upload>();
  readonly deliveries = new Map<string, Delivery[]>();
  user: string | null;
  readonly isGuarded: boolean;
  tokens: Token[] = [
    {
      name: 'lab',
      scopes: ['jobs'],
      created_at: '2026-11-02T09:00:00Z',
      expires_at: null,
      last_used_at: null,
    },
  ];
  quotas: Quota[] = [
    { user: 'anna', queued: 1, queued_limit: 50, artifact_bytes: 48_200_000, artifact_limit_bytes: 10e9 },
    { user: 'ben', queued: 0, queued_limit: 50, artifact_bytes: 1_900_000_000, artifact_limit_bytes: 10e9 },
  ];

  constructor(options: MockOptions) {
    this.jobs = new Jobs(
      options.beat ?? 20,
      options.holdAt ?? null,
      (upload) => this.uploads.get(upload)?.name.endsWith('.zip') ?? false,
    );
    this.isGuarded = options.isGuarded ?? false;
    this.user = this.isGuarded ? null : 'anna';
  }

  session(): Session {
    return {
      user: this.user,
      scopes: this.user === null ? [] : ['jobs', 'admin'],
      sign_in: this.isGuarded ? 'token' : 'none',
      version: '0.1.0',
      upload_limit_bytes: 2e9,
      retention_days: 14,
    };
  }
}

function refuse(response: ServerResponse, error: unknown) {
  const problem =
    error instanceof Refusal
      ? error.problem
      : new Refusal(500, error instanceof Error ? error.message : 'fault').problem;
  response.writeHead(problem.status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify(problem));
}

function reply(response: ServerResponse, body: unknown, status = 200) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(status === 204 ? undefined : JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

async function jsonOf<T>(request: IncomingMessage): Promise<T> {
  return JSON.parse((await bodyOf(request)).toString()) as T;
}

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://mock');
  const [version, ...path] = url.pathname.slice(1).split('/').map(decodeURIComponent);
  const route = `${request.method ?? 'GET'} ${path[0] ?? ''}`;
  if (version === 'health') {
    const checks = ['database', 'store', 'workers'].map((name) => ({ name, ok: true, message: '' }));
    return reply(response, { ready: true, checks });
  }
  if (version !== 'v1') return serveFile(url.pathname, response);
  if (path[0] !== 'session' && state.user === null) throw new Refusal(401, 'Sign in first.');
  switch (route) {
    case 'GET session':
      return reply(response, state.session());
    case 'POST session': {
      const { token } = await jsonOf<{ token: string }>(request);
      if (token !== 'secret') throw new Refusal(401, 'This token is not known, or no longer valid.');
      state.user = 'anna';
      return reply(response, state.session());
    }
    case 'DELETE session':
      state.user = null;
      return reply(response, null, 204);
    case 'GET models':
      return reply(response, models);
    case 'POST plan':
      return reply(response, planOf(await jsonOf<JobRequest>(request)));
    case 'GET destinations':
      return reply(response, [
        { name: 'pacs', title: 'Hospital PACS (ORTHANC)', kind: 'dimse' },
        { name: 'research', title: 'Research archive', kind: 'dicomweb' },
      ]);
    case 'POST uploads':
      return takeUpload(state, request, response, url.searchParams.get('name') ?? '');
    case 'GET uploads':
      return send(response, scans.scan, 'application/gzip');
    default:
      if (path[0] === 'jobs') return answerJobs(state, request, response, path.slice(1), url.searchParams);
      if (path[0] === 'admin') return answerAdmin(state, request, response, path.slice(1));
      throw new Refusal(404, 'There is no such route.');
  }
}

function send(response: ServerResponse, body: Buffer, type: string) {
  response.writeHead(200, { 'content-type': type, 'content-length': body.length });
  response.end(body);
}

function serveFile(path: string, response: ServerResponse) {
  const file = join(DIST, normalize(path === '/' ? '/index.html' : path));
  if (!file.startsWith(DIST) || !existsSync(file) || !statSync(file).isFile())
    throw new Refusal(404, 'No such file.');
  response.writeHead(200, {
    'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
  });
  createReadStream(file).pipe(response);
}

function understand(name: string, body: Buffer): Understood {
  if (!name.startsWith('scan.'))
    return { kind: 'molecules', records: recordsOf(body.toString()), warnings: [] };
  if (body.length < 1000) throw new Refusal(422, 'This is neither a NIfTI file nor a DICOM series.');
  return {
    kind: 'volume',
    format: name.endsWith('.zip') ? 'dicom' : 'nifti',
    series: [
      {
        number: 0,
        description: 'T1 3D sagittal',
        modality: 'MR',
        contrast: 'T1',
        shape: [84, 124, 87],
        spacing_mm: [2, 2, 2],
        orientation: 'RAS',
        intensity_range: [0, 254],
        noise: { sigma: 14.7, rician: true },
        instances: name.endsWith('.zip') ? 87 : 1,
      },
    ],
    warnings: ['The voxels have 2.00 mm; the model was trained at about 1 mm.'],
  };
}

async function takeUpload(state: State, request: IncomingMessage, response: ServerResponse, name: string) {
  const body = await bodyOf(request);
  const digest = createHash('sha256').update(body).digest('hex');
  const upload: Upload = {
    id: digest.slice(0, 12),
    name,
    bytes: body.length,
    digest: 'sha256:' + digest,
    expires_at: new Date(Date.now() + 86_400_000).toISOString(),
    understood: understand(name, body),
  };
  state.uploads.set(upload.id, upload);
  reply(response, upload, 201);
}

async function answerJobs(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
  [id, part, name]: string[],
  query: URLSearchParams,
) {
  const { jobs } = state;
  const method = request.method ?? 'GET';
  if (id === undefined) {
    if (method === 'POST') return reply(response, jobs.submit(await jsonOf<JobRequest>(request)), 202);
    const wanted = query.get('state');
    const all = [...jobs.kept.values()].map(({ job }) => job).reverse();
    return reply(response, {
      jobs: all.filter((job) => wanted === null || job.state === wanted),
      cursor: null,
    });
  }
  const kept = jobs.get(id);
  if (kept === undefined) throw new Refusal(404, 'There is no such job.');
  switch (`${method} ${part ?? ''}`) {
    case 'GET ':
      return reply(response, kept.job);
    case 'DELETE ':
      if (query.get('forget') === 'true') {
        jobs.forget(kept);
        return reply(response, null, 204);
      }
      jobs.cancel(kept);
      return reply(response, kept.job);
    case 'PUT pin':
    case 'DELETE pin':
      kept.job.pinned = method === 'PUT';
      return reply(response, kept.job);
    case 'GET events':
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      return jobs.hear(kept, response, Number(request.headers['last-event-id'] ?? 0));
    case 'GET artifacts': {
      const file = kept.files.get(name ?? '');
      if (file === undefined) throw new Refusal(404, 'There is no such file.');
      return send(response, file.body, file.type);
    }
    case 'POST export': {
      const { numbers, format } = await jsonOf<{ numbers: number[]; format: string }>(request);
      const chosen = numbers.flatMap((number) => kept.molecules[number] ?? []);
      return send(
        response,
        Buffer.from(format === 'csv' ? csv(chosen) : sdf(chosen)),
        'application/octet-stream',
      );
    }
    case 'GET deliveries':
      return reply(response, state.deliveries.get(id) ?? []);
    case 'POST deliveries': {
      const { destination } = await jsonOf<{ destination: string }>(request);
      const delivery: Delivery = { destination, state: 'sent', sent: 87, instances: 87, message: null };
      state.deliveries.set(id, [delivery]);
      return reply(response, delivery, 202);
    }
    default:
      throw new Refusal(404, 'There is no such route.');
  }
}

async function answerAdmin(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
  [what, name]: string[],
) {
  switch (`${request.method ?? 'GET'} ${what ?? ''}`) {
    case 'GET tokens':
      return reply(response, state.tokens);
    case 'POST tokens': {
      const asked = await jsonOf<NewToken>(request);
      const token: Token = { ...asked, created_at: new Date().toISOString(), last_used_at: null };
      state.tokens = [...state.tokens, token];
      return reply(response, { token, secret: 'unmelt_8f2c0b6e' }, 201);
    }
    case 'DELETE tokens':
      state.tokens = state.tokens.filter((token) => token.name !== name);
      return reply(response, null, 204);
    case 'GET quotas':
      return reply(response, state.quotas);
    case 'PUT quotas': {
      const limits = await jsonOf<Partial<Quota>>(request);
      state.quotas = state.quotas.map((quota) => (quota.user === name ? { ...quota, ...limits } : quota));
      return reply(
        response,
        state.quotas.find(({ user }) => user === name),
      );
    }
    case 'GET disk':
      return reply(response, {
        total_bytes: 512e9,
        free_bytes: 301e9,
        used: [
          { what: 'Artifacts', bytes: 1.95e9 },
          { what: 'Uploads', bytes: 0.62e9 },
          { what: 'Database', bytes: 14e6 },
        ],
      });
    default:
      throw new Refusal(404, 'There is no such route.');
  }
}
