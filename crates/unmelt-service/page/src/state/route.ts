import { signal } from '@preact/signals';

/** Where the reader is: "#/molecules/ID" is the page "molecules" and the job "ID". */
export interface Route {
  page: string;
  id: string | null;
}

function parse(hash: string): Route {
  const [page, id] = hash.replace(/^#\/?/, '').split('/');
  return {
    page: page === undefined || page === '' ? 'molecules' : page,
    id: id ? decodeURIComponent(id) : null,
  };
}

export const route = signal<Route>(parse(location.hash));

addEventListener('hashchange', () => {
  route.value = parse(location.hash);
  scrollTo(0, 0);
});

/** The address of a page, and of a job on it. */
export function address(page: string, id?: string): string {
  return `#/${page}${id === undefined ? '' : '/' + encodeURIComponent(id)}`;
}

export function go(page: string, id?: string) {
  location.hash = address(page, id);
}
