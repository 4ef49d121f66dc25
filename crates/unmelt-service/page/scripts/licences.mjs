// Writes THIRD-PARTY-page.md: the packages whose code is in the page, and their licences.
// Fails where one is not permissive. `--check` compares instead of writing.
import { readFileSync, writeFileSync } from 'node:fs';

const PERMISSIVE = [
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'Zlib',
  'CC0-1.0',
  'Unlicense',
];
const FILE = new URL('../THIRD-PARTY-page.md', import.meta.url);

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));
const shipped = Object.entries(lock.packages).filter(
  ([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true,
);

const isPermissive = (licence) =>
  licence
    .replace(/[()]/g, '')
    .split(/ OR /)
    .some((choice) => choice.split(/ AND /).every((part) => PERMISSIVE.includes(part.trim())));

const rows = shipped.map(([path, { version, license }]) => {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const own = JSON.parse(readFileSync(new URL(`../${path}/package.json`, import.meta.url), 'utf8')).license;
  return { name, version, licence: license ?? (typeof own === 'string' ? own : 'unknown') };
});
const others = rows.filter(({ licence }) => !isPermissive(licence));
if (others.length > 0) {
  console.error('Not permissive:', others);
  process.exit(1);
}

const lines = rows
  .sort((a, b) => a.name.localeCompare(b.name))
  .map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`);
const text = `# Packages in the page

Written by \`npm run licences\` from the lock file. Packages for building and testing alone are not in it.

| package | version | licence |
|---|---|---|
${[...new Set(lines)].join('\n')}
`;
if (!process.argv.includes('--check')) writeFileSync(FILE, text);
else if (readFileSync(FILE, 'utf8') !== text) {
  console.error('THIRD-PARTY-page.md is not what `npm run licences` writes.');
  process.exit(1);
}
