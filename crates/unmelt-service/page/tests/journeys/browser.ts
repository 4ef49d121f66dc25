import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, expect, test } from 'vitest';
import { startMock, type Mock, type MockOptions } from '../mock/server.ts';

/** A browser on the page, and what it was seen to do. */
export interface Visit {
  page: Page;
  mock: Mock;
  /** Requests to another origin. */
  strangers: string[];
  /** Errors of scripts, and what the content security policy refused. */
  faults: string[];
  shot: (name: string) => Promise<void>;
  end: () => Promise<void>;
}

const SHOTS = fileURLToPath(new URL('../shots/', import.meta.url));

/** Debian's Chromium, or the one that CHROMIUM names. */
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser) console.warn(`Skipped: the journeys, because there is no ${CHROMIUM}.`);

/** A test in a browser, skipped where there is none. */
export const journey = test.skipIf(!hasBrowser);

let browser: Browser | null = null;

async function launched(): Promise<Browser> {
  browser ??= await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--enable-unsafe-swiftshader',
      '--use-angle=swiftshader',
      '--ignore-gpu-blocklist',
    ],
  });
  return browser;
}

async function closeBrowser() {
  await browser?.close();
  browser = null;
}

export interface VisitOptions extends MockOptions {
  width?: number;
  height?: number;
  isDark?: boolean;
}

/** Starts a mock server and opens its page. */
async function visit(options: VisitOptions = {}): Promise<Visit> {
  const mock = await startMock(options);
  const context = await (
    await launched()
  ).newContext({
    viewport: { width: options.width ?? 1480, height: options.height ?? 940 },
    colorScheme: options.isDark === true ? 'dark' : 'light',
    reducedMotion: 'reduce',
    acceptDownloads: true,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const strangers: string[] = [];
  const faults: string[] = [];
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== mock.url && protocol.startsWith('http')) strangers.push(request.url());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    // Refusals with problem+json are part of some journeys.
    const isRefusal = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isRefusal) faults.push(message.text());
  });
  await page.goto(mock.url);
  mkdirSync(SHOTS, { recursive: true });
  return {
    page,
    mock,
    strangers,
    faults,
    shot: async (name) => {
      await page.screenshot({ path: `${SHOTS}${name}.png` });
    },
    end: async () => {
      await context.close();
      await mock.stop();
    },
  };
}

/** Gives each journey a visit of its own, at whose end nothing foreign may have been asked for and nothing have failed. */
export function useVisits(): (options?: VisitOptions) => Promise<Visit> {
  let seen: Visit | null = null;
  afterEach(async () => {
    const { strangers, faults } = seen ?? { strangers: [], faults: [] };
    await seen?.end();
    seen = null;
    expect(strangers).toEqual([]);
    expect(faults).toEqual([]);
  });
  afterAll(closeBrowser);
  return async (options = {}) => {
    seen = await visit(options);
    return seen;
  };
}

/** What axe finds that is serious, in a line each. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
}
