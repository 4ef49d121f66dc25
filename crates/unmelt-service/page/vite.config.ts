import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** While developing, the mock server answers what is no file of the page. */
const mock = 'http://127.0.0.1:7788';

export default defineConfig({
  resolve: {
    alias: {
      'numcodecs/blosc': fileURLToPath(new URL('scripts/no-codecs.ts', import.meta.url)),
      'numcodecs/lz4': fileURLToPath(new URL('scripts/no-codecs.ts', import.meta.url)),
      'numcodecs/zstd': fileURLToPath(new URL('scripts/no-codecs.ts', import.meta.url)),
      '3dmol': fileURLToPath(new URL('node_modules/3dmol/build/3Dmol.es6-min.js', import.meta.url)),
    },
  },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // 3Dmol and niivue are large, and loaded where they are needed.
    chunkSizeWarningLimit: 2500,
  },
  server: { proxy: { '/v1': mock, '/health': mock } },
  test: {
    include: ['tests/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
