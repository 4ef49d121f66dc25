import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import type { MoleculesGenerate } from '../../src/api.ts';
import { molecules } from '../mock/fixtures.ts';
import { journey, useVisits, type Visit } from './browser.ts';

const begin = useVisits();

function requestOf({ mock }: Visit): MoleculesGenerate {
  const [last] = [...mock.jobs.kept.values()].reverse();
  if (last?.job.request.kind !== 'molecules.generate') throw new Error('no molecules were asked for');
  return last.job.request;
}

journey('a chemist asks for a property, looks through the molecules, and downloads some', async () => {
  const v = await begin();
  const { page } = v;
  await page.getByLabel('logP', { exact: true }).check();
  await page.getByLabel('logP, value').fill('1.5');
  await page.getByText('Size and elements').click();
  await page.getByLabel('N at least').fill('1');
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByText('Finished').waitFor();
  expect(requestOf(v).request.targets).toEqual([['logp', 1.5]]);
  expect(requestOf(v).contains).toEqual(['N>=1']);

  await page.getByText('60 molecules', { exact: true }).waitFor();
  await page.locator('.card svg line').first().waitFor();
  await page.locator('.viewer canvas').waitFor();
  await v.shot('molecules-gallery');

  // The handles of the histogram say what is shown.
  const lowest = page.getByLabel('logP, lowest');
  await lowest.fill('1');
  const from = Number(await lowest.inputValue());
  const some = molecules.filter(({ properties }) => (properties.logp ?? NaN) >= from).length;
  expect(some).toBeLessThan(60);
  await page.getByText(`${some} of 60 molecules`).waitFor();

  await page.getByRole('radio', { name: 'Table' }).check();
  await page.getByRole('button', { name: /^logP/ }).click();
  const rows = page.locator('table.data tbody tr');
  expect(await rows.count()).toBe(some);
  await v.shot('molecules-table');

  await rows.nth(0).getByRole('checkbox').check();
  await rows.nth(1).getByRole('checkbox').check();
  await page.getByText('2 selected').waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'SDF' }).click(),
  ]);
  const text = await readFile(await download.path(), 'utf8');
  expect(text.match(/\$\$\$\$/g)).toHaveLength(2);
});

journey('a molecule walks out of noise, and stopping keeps what is there', async () => {
  const v = await begin({ holdAt: 20 });
  const { page, mock } = v;
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByText('Molecule 0, step 20 of 30').waitFor();
  await page.locator('.card').nth(19).waitFor();
  await page.locator('.card svg line').first().waitFor();
  await v.shot('molecules-emerging');
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped').waitFor();
  const [kept] = mock.jobs.kept.values();
  expect(kept?.job.state).toBe('cancelled');
  await page.getByText('20 molecules', { exact: true }).waitFor();
  expect(await page.locator('.card').count()).toBe(20);
});

journey('a lost connection neither loses nor repeats a molecule', async () => {
  const { page, mock } = await begin({ holdAt: 20 });
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.locator('.card').nth(19).waitFor();
  mock.jobs.drop();
  mock.jobs.release();
  await page.getByText('Finished').waitFor();
  await page.getByText('60 molecules', { exact: true }).waitFor();
  expect(await page.locator('.card').count()).toBe(60);
});

journey('more like this asks for relatives of a molecule', async () => {
  const v = await begin();
  const { page } = v;
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByText('Finished').waitFor();
  await page.getByRole('button', { name: /^Molecule 5,/ }).click();
  await page.getByRole('button', { name: 'More like this' }).click();
  await page.getByText('molecule-5.sdf', { exact: true }).waitFor();
  await page.getByLabel('How far from it').fill('0.4');
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByText('Finished').waitFor();
  await expect.poll(() => requestOf(v).from).toMatchObject({ role: 'vary', records: [0], strength: 0.4 });
});

journey('atoms of a scaffold are picked by clicking on them', async () => {
  const v = await begin();
  const { page } = v;
  await page.getByRole('radio', { name: 'Scaffold' }).check();
  await page.locator('.starting input[type=file]').setInputFiles({
    name: 'ring.sdf',
    mimeType: 'chemical/x-mdl-sdfile',
    buffer: Buffer.from(molecules[0]?.sdf ?? ''),
  });
  const canvas = page.locator('.starting canvas');
  await canvas.waitFor();
  const chosen = page.locator('.atoms label.is-chosen');
  const box = await canvas.boundingBox();
  if (box === null) throw new Error('the view has no size');
  // A heavy atom lies somewhere along the middle of the view.
  for (let part = 0.3; part < 0.72 && (await chosen.count()) === 0; part += 0.03) {
    await page.mouse.click(box.x + box.width * part, box.y + box.height * 0.52);
  }
  await expect.poll(() => chosen.count()).toBe(1);
  await v.shot('molecules-scaffold');
  const picked = Number(await chosen.innerText()) - 1;
  await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByText('Finished').waitFor();
  expect(requestOf(v).from).toMatchObject({ role: 'scaffold', attach: [picked] });
});

journey('what cannot be honoured is said beside its field, before anything runs', async () => {
  const v = await begin();
  const { page, mock } = v;
  await page.getByRole('radio', { name: 'Formula' }).check();
  await page.getByLabel('Molecular formula, hydrogens included').fill('C6H5F');
  await page.getByText('The model does not know F').waitFor();
  expect(await page.getByRole('button', { name: 'Generate' }).isDisabled()).toBe(true);
  await v.shot('molecules-refused');
  await page.getByLabel('Molecular formula, hydrogens included').fill('C6H6O');
  await expect.poll(() => page.getByRole('button', { name: 'Generate' }).isEnabled()).toBe(true);
  expect(mock.jobs.kept.size).toBe(0);
});

journey('the request is copied as code', async () => {
  const { page } = await begin();
  await page.getByText('Copy as code').click();
  await page.getByRole('radio', { name: 'Command line' }).check();
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await page.getByText('Copied').waitFor();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  expect(text).toContain('unmelt molecules generate');
  expect(text).toContain('--count 60');
});

journey('a SMILES is given a geometry to grow on', async () => {
  const v = await begin();
  const { page, mock } = v;
  await page.getByRole('radio', { name: 'Scaffold' }).check();
  const smiles = page.getByLabel('or a SMILES');
  await smiles.fill('C1CC');
  await smiles.press('Enter');
  await page.getByText('This is no SMILES: dangling ring closure').waitFor();
  await smiles.fill('c1ccncc1');
  await page.getByRole('button', { name: 'Read' }).click();
  await page.getByText('molecule.sdf', { exact: true }).waitFor();
  const [upload] = mock.uploads.values();
  const records = upload?.understood.kind === 'molecules' ? upload.understood.records : [];
  expect(records.map(({ atoms, attachable }) => [atoms, attachable.length])).toEqual([[11, 5]]);
  await page.locator('.starting canvas').waitFor();
  await v.shot('molecules-smiles');
});
