// Serves the built page with the mock server, to look at it: `npm run build && npm run mock`.
import { runnerImport } from 'vite';

const { module } = await runnerImport(new URL('../tests/mock/server.ts', import.meta.url).pathname);
const mock = await module.startMock({ port: 7788, beat: 250 });
console.log(`The page is at ${mock.url}`);
