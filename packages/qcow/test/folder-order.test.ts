import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const src = path.join(import.meta.dirname, '../src');

/** The folders from the lowest to the highest. A file imports from its own folder and from lower ones. */
const FOLDERS = [
  'layout',
  'image',
  'snapshots',
  'bitmaps',
  'describe',
  'tables',
  'check',
  'create',
  'write/async',
  'write/file',
  'write/space',
  'write/metadata',
  'write/data',
  'write/snapshots',
  'write/bitmaps',
  'write/repair',
  'write/amend',
  'write/operations',
  'write/v1',
  'write',
  'open',
  '',
];

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
}

/** The place of a file in the order: that of the longest folder name which its path begins with. */
function rank(file: string): number {
  const name = file.split(path.sep).join('/');
  const folder = FOLDERS.toSorted((a, b) => b.length - a.length).find(
    (candidate) => candidate === '' || name.startsWith(`${candidate}/`),
  );
  return FOLDERS.indexOf(folder ?? '');
}

test('no import runs up the order of the folders, type imports included', () => {
  const upward: string[] = [];
  for (const file of filesOf(src)) {
    const text = readFileSync(path.join(src, file), 'utf8');
    for (const [, specifier = ''] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const target = path.relative(src, path.join(src, path.dirname(file), specifier));
      if (rank(target) > rank(file)) upward.push(`${file} imports ${target}`);
    }
  }
  expect(upward).toEqual([]);
});

test('only what is about the whole package is at the root', () => {
  expect(filesOf(src).filter((name) => !name.includes(path.sep))).toEqual(['format.ts', 'index.ts']);
});
