import { unzipSync } from 'fflate';
import { expect, test } from 'vitest';
import { packageOf } from '../../src/scans/files.ts';

test('a volume file goes as it is, without its name', async () => {
  const file = new File(['voxels'], 'Anna Example T1.nii.gz');
  const { label, name, body } = await packageOf([file]);
  expect(label).toBe('Anna Example T1.nii.gz');
  expect(name).toBe('scan.nii.gz');
  expect(body).toBe(file);
});

test('DICOM files are put into an archive, numbered in place of their names', async () => {
  const files = ['one', 'two'].map((text) => new File([text], `Anna_${text}.dcm`));
  const { name, body } = await packageOf(files);
  expect(name).toBe('scan.zip');
  const inside = unzipSync(new Uint8Array(await body.arrayBuffer()));
  const texts = Object.entries(inside).map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]);
  expect(texts).toEqual([
    ['000000.dcm', 'one'],
    ['000001.dcm', 'two'],
  ]);
});
