import { expect } from 'vitest';
import { barriers, journey, useVisits } from './browser.ts';

const begin = useVisits();

const PAGES = ['molecules', 'scans', 'jobs', 'models', 'admin'];
/** Milliseconds from the address to the form. */
const LONGEST_LOAD = 2000;

journey.each([false, true])('no page has a serious barrier (dark: %s)', async (isDark) => {
  const { page, mock } = await begin({ isDark, beat: 10 });
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByText('Finished').waitFor();
  await page.getByRole('radio', { name: 'Table' }).check();
  expect(await barriers(page)).toEqual([]);
  for (const name of PAGES) {
    await page.goto(`${mock.url}/#/${name}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    expect(await barriers(page)).toEqual([]);
  }
});

journey('the form stands there within two seconds', async () => {
  const { page, mock } = await begin();
  const context = await page.context().browser()?.newContext();
  const fresh = await context?.newPage();
  if (fresh === undefined) throw new Error('no second page');
  const start = performance.now();
  await fresh.goto(mock.url);
  await fresh.getByRole('button', { name: 'Generate' }).waitFor();
  const took = performance.now() - start;
  const weight = await fresh.evaluate(() =>
    [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
      .map((entry) => (entry as PerformanceResourceTiming).encodedBodySize)
      .reduce((sum, size) => sum + size, 0),
  );
  console.log(`First load: ${took.toFixed(0)} ms, ${(weight / 1000).toFixed(0)} kB before compression`);
  await context?.close();
  expect(took).toBeLessThan(LONGEST_LOAD);
  expect(weight).toBeLessThan(300_000);
});

journey('all is reached by keyboard', async () => {
  const { page } = await begin({ beat: 10 });
  await page.getByRole('button', { name: 'Generate' }).waitFor();
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.textContent)).toContain('To the content');
  await page.keyboard.press('Enter');
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('content');
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    if ((await page.evaluate(() => document.activeElement?.textContent)) === 'Generate') break;
  }
  await page.keyboard.press('Enter');
  await page.getByText('Finished').waitFor();
});

journey('jobs are found again, replayed, pinned and deleted', async () => {
  const v = await begin({ beat: 10 });
  const { page } = v;
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByText('Finished').waitFor();
  await page.getByRole('link', { name: 'Jobs' }).click();
  await page.getByRole('button', { name: 'Replay' }).click();
  await page.getByText('Came out bit for bit the same').waitFor();
  await v.shot('jobs');
  const first = page.locator('.job').last();
  await first.getByRole('button', { name: 'Pin' }).click();
  await first.getByRole('button', { name: 'Unpin' }).waitFor();
  expect(await first.getByRole('button', { name: 'Delete' }).count()).toBe(0);
  page.on('dialog', (dialog) => void dialog.accept());
  await page.locator('.job').first().getByRole('button', { name: 'Delete' }).click();
  await expect.poll(() => page.locator('.job').count()).toBe(1);
  await page.getByRole('link', { name: '60 molecules' }).click();
  await page.locator('.card').nth(59).waitFor();
});

journey('a job that was stopped is tried again', async () => {
  const { page, mock } = await begin({ holdAt: 5 });
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped').waitFor();
  await page.getByRole('link', { name: 'Jobs' }).click();
  mock.jobs.release();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('Finished').waitFor();
  const requests = [...mock.jobs.kept.values()].map(({ job }) => job.request);
  expect(requests).toHaveLength(2);
  expect(requests[1]).toEqual(requests[0]);
});

journey('one signs in with a token where it is asked for', async () => {
  const { page } = await begin({ isGuarded: true });
  await page.getByLabel('Token').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('This token is not known').waitFor();
  expect(await barriers(page)).toEqual([]);
  await page.getByLabel('Token').fill('secret');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Generate' }).waitFor();
  expect(await page.evaluate(() => JSON.stringify(Object.values(localStorage)))).not.toContain('secret');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
});

journey('an administrator makes and revokes a token, and sets a quota', async () => {
  const v = await begin();
  const { page } = v;
  await page.getByRole('link', { name: 'Admin' }).click();
  await page.getByLabel('Name of a new token').fill('scanner');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByText('unmelt_8f2c0b6e').waitFor();
  await v.shot('admin');
  await page.getByRole('button', { name: 'Revoke scanner' }).click();
  await expect.poll(() => page.getByRole('button', { name: /^Revoke/ }).count()).toBe(1);
  await page.getByLabel('Jobs of ben that may wait').fill('5');
  const set = page.getByRole('button', { name: 'Set quota of ben' });
  await set.click();
  await expect.poll(() => set.isDisabled()).toBe(true);
});

journey('the cards of the models are read', async () => {
  const v = await begin();
  const { page } = v;
  await page.getByRole('link', { name: 'Models' }).click();
  await page.getByRole('heading', { name: /brain-mri/ }).waitFor();
  await page.getByText('Other organs than the brain').waitFor();
  await v.shot('models');
});

journey('a phone shows the same', async () => {
  const v = await begin({ width: 390, height: 844, beat: 10 });
  const { page } = v;
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByText('Finished').waitFor();
  await page.locator('.viewer canvas').waitFor();
  await v.shot('phone');
  const isWider = await page.evaluate(
    () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
  );
  expect(isWider).toBe(false);
});
