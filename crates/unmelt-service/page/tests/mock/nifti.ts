import { gunzipSync, gzipSync } from 'node:zlib';

/** The little of NIfTI-1 that the mock needs: little-endian files of bytes without scaling. */

const HEADER = 352;

export function voxels(file: Buffer): Uint8Array {
  return gunzipSync(file).subarray(HEADER);
}

export function shapeOf(file: Buffer): [number, number, number] {
  const header = gunzipSync(file);
  return [header.readInt16LE(42), header.readInt16LE(44), header.readInt16LE(46)];
}

/** `after` less `before`, as a file of 16-bit numbers on the same grid. */
export function difference(before: Buffer, after: Buffer): Buffer {
  const [a, b] = [voxels(before), voxels(after)];
  const header = Buffer.from(gunzipSync(after).subarray(0, HEADER));
  header.writeInt16LE(4, 70);
  header.writeInt16LE(16, 72);
  const values = Int16Array.from(b, (value, k) => value - (a[k] ?? 0));
  return gzipSync(Buffer.concat([header, Buffer.from(values.buffer)]), { level: 1 });
}

/** The middle axial slice between two volumes, a part of the way from the first to the second. */
export function middleSlice(before: Buffer, after: Buffer, part: number) {
  const [width, height, depth] = shapeOf(after);
  const [a, b] = [voxels(before), voxels(after)];
  const start = Math.floor(depth / 2) * width * height;
  const pixels = Buffer.alloc(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const voxel = start + y * width + x;
      // The first row is the front; the right of the patient is on the left.
      pixels[(height - 1 - y) * width + (width - 1 - x)] =
        (1 - part) * (a[voxel] ?? 0) + part * (b[voxel] ?? 0);
    }
  }
  return { width, height, pixels: pixels.toString('base64') };
}
