import type { Job, JobRequest } from '../api.ts';
import { counted } from '../lib/format.ts';

const TASKS: Record<string, string> = {
  denoise: 'Remove noise',
  'super-resolve': 'Resolve thick slices',
  inpaint: 'Fill a masked region',
  outpaint: 'Extend the field of view',
  kspace: 'Reconstruct k-space',
};

/** What a job does, in a line. */
export function describe(request: JobRequest): string {
  switch (request.kind) {
    case 'molecules.generate': {
      const beginning = request.request.beginning;
      const from = request.from;
      const start =
        from !== null
          ? { scaffold: ' on a scaffold', link: ' as linkers', vary: ' like a molecule' }[from.role]
          : typeof beginning === 'object' && 'formula' in beginning
            ? ` of ${beginning.formula}`
            : '';
      const targets = request.request.targets.map(([name, value]) => `${name} ${value}`).join(', ');
      return counted(request.count, 'molecule') + start + (targets === '' ? '' : `, ${targets}`);
    }
    case 'volumes.enhance':
      return TASKS[request.task.kind] ?? request.task.kind;
    case 'replay':
      return 'Made again';
  }
}

/** The page on which a job's result is looked at; none for a replay. */
export function pageOf(job: Job): string | null {
  switch (job.request.kind) {
    case 'molecules.generate':
      return 'molecules';
    case 'volumes.enhance':
      return 'scans';
    case 'replay':
      return null;
  }
}
