import { useEffect } from 'preact/hooks';
import { AdminPage } from './admin/AdminPage.tsx';
import { JobsPage } from './jobs/JobsPage.tsx';
import { ModelsPage } from './models/ModelsPage.tsx';
import { MoleculesPage } from './molecules/MoleculesPage.tsx';
import { Icon, type IconName } from './parts/Icon.tsx';
import { ProblemBox } from './parts/ProblemBox.tsx';
import { ScansPage } from './scans/ScansPage.tsx';
import { SignIn } from './sign-in.tsx';
import { address, route } from './state/route.ts';
import { health, isAdmin, isSignedIn, session, signOut, start, startProblem } from './state/session.ts';
import { ThemeButton } from './theme-button.tsx';

const PAGES: { name: string; label: string; icon: IconName; isForAdmin?: boolean }[] = [
  { name: 'molecules', label: 'Molecules', icon: 'molecule' },
  { name: 'scans', label: 'Scans', icon: 'scan' },
  { name: 'jobs', label: 'Jobs', icon: 'queue' },
  { name: 'models', label: 'Models', icon: 'model' },
  { name: 'admin', label: 'Admin', icon: 'admin', isForAdmin: true },
];

/** The page with its head. */
export function App() {
  useEffect(() => void start(), []);
  const who = session.value;
  const { page } = route.value;
  const pages = PAGES.filter(({ isForAdmin }) => isForAdmin !== true || isAdmin(who));
  useEffect(() => {
    const label = PAGES.find(({ name }) => name === page)?.label;
    document.title = label === undefined ? 'unmelt' : `${label} · unmelt`;
  }, [page]);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('content')?.focus()}>
        To the content
      </button>
      <header class="top">
        <a class="brand" href={address('molecules')}>
          <img src="/icon.svg" alt="" width={26} height={26} />
          unmelt
        </a>
        <nav aria-label="Pages">
          {pages.map(({ name, label, icon }) => (
            <a key={name} href={address(name)} aria-current={name === page ? 'page' : undefined}>
              <Icon name={icon} />
              {label}
            </a>
          ))}
        </nav>
        {health.value !== null && !health.value.ready && (
          <span class="not-ready" role="status">
            The service is not ready
          </span>
        )}
        {who?.sign_in === 'token' && who.user !== null && (
          <button
            type="button"
            class="quiet"
            title={`Signed in as ${who.user}`}
            onClick={() => void signOut()}
          >
            Sign out
          </button>
        )}
        <ThemeButton />
      </header>
      <main id="content" tabIndex={-1}>
        {startProblem.value !== null && (
          <div class="one-part">
            <ProblemBox problem={startProblem.value} />
            <button type="button" onClick={() => void start()}>
              Try again
            </button>
          </div>
        )}
        {who !== null && (isSignedIn(who) ? <Content /> : <SignIn />)}
      </main>
    </>
  );
}

function Content() {
  const { page, id } = route.value;
  switch (page) {
    case 'molecules':
      return <MoleculesPage id={id} />;
    case 'scans':
      return <ScansPage id={id} />;
    case 'jobs':
      return <JobsPage />;
    case 'models':
      return <ModelsPage />;
    case 'admin':
      return <AdminPage />;
    default:
      return <p class="empty">There is no such page.</p>;
  }
}
