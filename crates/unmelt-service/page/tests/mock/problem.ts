import type { Problem } from '../../src/api.ts';

/** A refusal, thrown by a route. */
export class Refusal extends Error {
  readonly problem: Problem;

  constructor(status: number, detail: string, fields: Problem['fields'] = []) {
    super(detail);
    this.problem = { type: 'about:blank', title: 'Refused', status, detail, fields, retry_after: null };
  }
}
