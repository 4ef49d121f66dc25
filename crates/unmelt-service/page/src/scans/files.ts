import type { Zip } from 'fflate';

/** What was dropped or chosen, ready to be sent. */
export interface Package {
  /** What the reader sees; it stays in the browser. */
  label: string;
  /** What is sent as the name: its ending alone, since a file's name may be a patient's. */
  name: string;
  body: Blob;
  type: string;
}

const SINGLE: [ending: string, type: string][] = [
  ['.nii.gz', 'application/gzip'],
  ['.nii', 'application/octet-stream'],
  ['.zip', 'application/zip'],
];

/** One volume file or archive as it is; anything else is taken for DICOM files and put into an archive. */
export async function packageOf(files: File[]): Promise<Package> {
  const [file] = files;
  if (files.length === 1 && file !== undefined) {
    const single = SINGLE.find(([ending]) => file.name.toLowerCase().endsWith(ending));
    if (single !== undefined)
      return { label: file.name, name: 'scan' + single[0], body: file, type: single[1] };
  }
  const label = files.length === 1 && file !== undefined ? file.name : `${files.length} DICOM files`;
  return { label, name: 'scan.zip', body: await archive(files), type: 'application/zip' };
}

/** A ZIP archive without compression; the files are numbered, their names are left out. */
async function archive(files: File[]): Promise<Blob> {
  const { Zip, ZipPassThrough } = await import('fflate');
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const zip: Zip = new Zip((fault, part) => {
    if (fault !== null) throw fault;
    parts.push(new Uint8Array(part));
  });
  for (const [number, file] of files.entries()) {
    const entry = new ZipPassThrough(`${String(number).padStart(6, '0')}.dcm`);
    zip.add(entry);
    entry.push(new Uint8Array(await file.arrayBuffer()), true);
  }
  zip.end();
  return new Blob(parts, { type: 'application/zip' });
}

/** All files of a drop, those in folders too. */
export async function filesOf(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  return (await Promise.all(entries.map(filesIn))).flat();
}

async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    return [
      await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
    ];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: File[] = [];
  for (;;) {
    // A reader gives a hundred entries at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(filesIn))).flat());
  }
}
