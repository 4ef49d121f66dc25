import { batch, signal } from '@preact/signals';
import {
  api,
  asProblem,
  type Health,
  type Model,
  type MoleculesModel,
  type Problem,
  type Session,
  type VolumesModel,
} from '../api.ts';

export const session = signal<Session | null>(null);
export const models = signal<Model[]>([]);
export const health = signal<Health | null>(null);
/** Why the page cannot begin. */
export const startProblem = signal<Problem | null>(null);

/** Asks who is signed in, and what models there are. */
export async function start() {
  try {
    const who = await api.session();
    const known = isSignedIn(who) ? await api.models() : [];
    batch(() => {
      session.value = who;
      models.value = known;
      startProblem.value = null;
    });
    health.value = await api.ready();
  } catch (error) {
    startProblem.value = asProblem(error);
  }
}

/** Ends the session; what was known is forgotten with the page. */
export async function signOut() {
  await api.signOut();
  location.reload();
}

export function isSignedIn(who: Session): boolean {
  return who.sign_in === 'none' || who.user !== null;
}

export function isAdmin(who: Session | null): boolean {
  return who?.scopes.includes('admin') ?? false;
}

export function moleculeModels(): MoleculesModel[] {
  return models.value.filter((model) => model.of === 'molecules');
}

export function volumeModels(): VolumesModel[] {
  return models.value.filter((model) => model.of === 'volumes');
}
