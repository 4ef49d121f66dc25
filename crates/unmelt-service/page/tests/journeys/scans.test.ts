import { expect } from 'vitest';
import { fileURLToPath } from 'node:url';
import { barriers, journey, useVisits, type Visit, type VisitOptions } from './browser.ts';

const SCAN = fileURLToPath(new URL('../fixtures/scan.nii.gz', import.meta.url));
const DROP = 'Drop a brain MRI here';

const visit = useVisits();

async function begin(options: VisitOptions = {}): Promise<Visit> {
  const seen = await visit(options);
  await seen.page.getByRole('link', { name: 'Scans' }).click();
  return seen;
}

journey('a radiologist has noise taken away, and compares before and after', async () => {
  const v = await begin({ holdAt: 12 });
  const { page, mock } = v;
  await page.getByText('Not a medical device, not for diagnosis').waitFor();
  await page.getByLabel(DROP, { exact: true }).setInputFiles(SCAN);
  await page.getByText('84 × 124 × 87').waitFor();
  await page.getByText('the model was trained at about 1 mm').waitFor();
  await page.getByText('Loading the scan').waitFor({ state: 'detached' });
  await v.shot('scans-preview');

  await page.getByLabel('Uncertainty of each voxel').check();
  await page.getByRole('button', { name: 'Enhance' }).click();
  await page.getByText('Middle axial slice, step 12 of 30').waitFor();
  await v.shot('scans-sharpening');
  mock.jobs.release();
  await page.getByText('Finished').waitFor();
  await page.getByText('Loading the scan').waitFor({ state: 'detached' });
  await v.shot('scans-wipe');

  const readout = page.locator('.readout dd');
  const crosshair = () => readout.nth(3).innerText();
  expect(await crosshair()).toContain('0, 0, 0');
  await page.locator('.stage').focus();
  await page.keyboard.press('PageUp');
  await page.keyboard.press('PageUp');
  await expect.poll(crosshair).toMatch(/, 4\smm/);
  const wipe = page.getByLabel('Wipe between before and after');
  await wipe.focus();
  await page.keyboard.press('Home');
  expect(await page.locator('.is-before').evaluate((pane) => (pane as HTMLElement).style.clipPath)).toContain(
    '100%',
  );

  // A click on the left picture moves the crosshair of both.
  await page.getByRole('radio', { name: 'Side by side' }).check();
  const box = await page.locator('.stage').boundingBox();
  if (box === null) throw new Error('the stage has no size');
  const moved = await crosshair();
  await page.mouse.click(box.x + box.width * 0.2, box.y + box.height * 0.4);
  await expect.poll(crosshair).not.toBe(moved);
  expect(await readout.nth(1).innerText()).toMatch(/± \d/);
  await v.shot('scans-side');
  expect(await barriers(page)).toEqual([]);

  await page.getByRole('radio', { name: 'Uncertainty' }).check();
  await page.getByText('Half-width of the 90 % interval, in units of the scan').waitFor();
  await v.shot('scans-uncertainty');
  await page.getByRole('radio', { name: 'Difference' }).check();
  await page.getByRole('radio', { name: 'All', exact: true }).check();
  await page.getByText('After less before').waitFor();
  await v.shot('scans-difference');

  await page.getByText('Data consistency').waitFor();
  const link = page.getByRole('link', { name: 'Enhanced scan, NIfTI' });
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  expect(download.suggestedFilename()).toBe('output.nii.gz');

  expect(await page.getByRole('button', { name: 'Send' }).count()).toBe(0);
  const [kept] = mock.jobs.kept.values();
  expect(kept?.job.request).toMatchObject({ task: { kind: 'denoise' }, settings: { samples: 8 } });
});

journey(
  'a DICOM folder goes in without the names of its files, and a derived series to the PACS',
  async () => {
    const { page, mock } = await begin();
    const slices = [1, 2, 3].map((k) => ({
      name: `EXAMPLE_ANNA_${k}.dcm`,
      mimeType: 'application/dicom',
      buffer: Buffer.alloc(2000, k),
    }));
    await page.getByLabel(DROP, { exact: true }).setInputFiles(slices);
    await page.getByText('DICOM, 87 images').waitFor();
    const [upload] = mock.uploads.values();
    expect(upload?.name).toBe('scan.zip');
    await page.getByRole('button', { name: 'Enhance' }).click();
    await page.getByText('Finished').waitFor();
    await page.getByRole('link', { name: 'Derived DICOM series' }).waitFor();
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('87 of 87 images sent').waitFor();
  },
);

journey('thick slices are asked for with a spacing for each axis', async () => {
  const { page, mock } = await begin();
  await page.getByLabel(DROP, { exact: true }).setInputFiles(SCAN);
  await page.getByLabel('Resolve thick slices').check();
  await page.getByLabel('Top–bottom').fill('0.8');
  await page.getByRole('radio', { name: 'Gaussian' }).check();
  await page.getByRole('button', { name: 'Enhance' }).click();
  await page.getByText('Finished').waitFor();
  const [kept] = mock.jobs.kept.values();
  expect(kept?.job.request).toMatchObject({
    task: { kind: 'super-resolve', spacing: [1, 1, 0.8], profile: 'gaussian' },
  });
});

journey('a region cannot be filled without its mask', async () => {
  const { page } = await begin();
  await page.getByLabel(DROP, { exact: true }).setInputFiles(SCAN);
  await page.getByLabel('Fill a masked region').check();
  const enhance = page.getByRole('button', { name: 'Enhance' });
  expect(await enhance.isDisabled()).toBe(true);
  await page.getByLabel('Mask', { exact: true }).setInputFiles(SCAN);
  await expect.poll(() => enhance.isEnabled()).toBe(true);
});

journey('what is no scan is refused with a sentence', async () => {
  const { page } = await begin();
  const file = { name: 'letter.nii', mimeType: 'application/octet-stream', buffer: Buffer.from('no voxels') };
  await page.getByLabel(DROP, { exact: true }).setInputFiles(file);
  await page.getByText('This is neither a NIfTI file nor a DICOM series.').waitFor();
});
