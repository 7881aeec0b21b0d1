import { globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { exit } from 'node:process';

/**
 * Checks the imports of each package against the order of its folders. A file, types included, imports only from its own folder
 * and from lower ones. Fails for an import from a higher folder, and for a folder without a place in the order.
 */

const ROOT = join(import.meta.dirname, '..');

/** The folders of each package and the files beside them, from the lowest to the highest. */
const ORDER: Readonly<Record<string, readonly string[]>> = {
  core: [
    ...['errors', 'contracts', 'binary', 'async', 'cache', 'codec', 'io', 'mapping', 'disks', 'probe'],
    ...[
      'stack',
      'creation',
      'volumes',
      'transfer',
      'disks.ts',
      'node/identity',
      'node/locks',
      'node/file',
      'node/zlib',
      'node',
    ],
    ...['index.ts', 'format.ts', 'volumes.ts', 'di', 'testing'],
  ],
  host: ['bindings', 'calls', 'open-host.ts', 'index.ts'],
  raw: ['creation.ts', 'format.ts', 'index.ts'],
  crypto: [
    ...['ciphers', 'words.ts', 'initial-vectors.ts', 'sector-cipher.ts', 'modes', 'cipher-spec.ts'],
    ...['random.ts', 'luks1', 'portable-primitives.ts', 'node', 'index.ts'],
  ],
  partition: [
    'layout',
    'types',
    'sector.ts',
    'partition-volume.ts',
    'gpt',
    'mbr',
    'partition.ts',
    'index.ts',
  ],
  qcow: [
    ...['layout', 'options', 'image', 'snapshots', 'bitmaps', 'describe', 'tables', 'check', 'create'],
    ...['write/async', 'write/file', 'write/space', 'write/metadata', 'write/data', 'write/snapshots'],
    ...['write/bitmaps', 'write/repair', 'write/amend', 'write/operations', 'write/v1', 'write', 'open'],
    ...['format.ts', 'index.ts'],
  ],
  'lvm-stub': ['volume-map.ts', 'index.ts'],
  lvm: [
    ...[
      'layout-name.ts',
      'layout',
      'metadata',
      'targets',
      'segment-type.ts',
      'persistent-data',
      'pvs',
      'raid',
    ],
    ...['segments', 'group', 'lvm2.ts', 'volume-manager.ts', 'index.ts'],
  ],
  cli: [
    ...['values', 'secrets', 'image-spec', 'options', 'terminal', 'plugins', 'session', 'image-options'],
    ...[
      'command-line',
      'new-image',
      'report',
      'transfer',
      'inspect',
      'commands',
      'program.ts',
      'run.ts',
      'main.ts',
    ],
  ],
};

let faults = 0;
function report(fault: string): void {
  faults++;
  console.log(fault);
}

for (const [name, order] of Object.entries(ORDER)) {
  const src = join(ROOT, 'packages', name, 'src');
  const longestFirst = order.toSorted((a, b) => b.length - a.length);
  const rank = (file: string): number => {
    const path = file.split(sep).join('/');
    const place = longestFirst.find((one) => path === one || path.startsWith(`${one}/`));
    return place === undefined ? -1 : order.indexOf(place);
  };
  for (const file of globSync('**/*.ts', { cwd: src }).sort()) {
    if (rank(file) < 0)
      report(`packages/${name}/src/${file} has no place in the order of its package (tools/folder-order.ts)`);
    const text = readFileSync(join(src, file), 'utf8');
    for (const [, specifier = ''] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const target = relative(src, join(src, dirname(file), specifier));
      if (rank(target) > rank(file))
        report(`packages/${name}/src/${file} imports ${target}, which is above it`);
    }
  }
}
/** A package of few files needs no order. */
const FOLDERS_WITHOUT_ORDER = 2;
for (const name of readdirSync(join(ROOT, 'packages'))) {
  if (Object.hasOwn(ORDER, name)) continue;
  const folders = globSync('*/', { cwd: join(ROOT, 'packages', name, 'src') });
  if (folders.length > FOLDERS_WITHOUT_ORDER)
    report(
      `packages/${name}/src has ${folders.length} folders, and no order of them (tools/folder-order.ts)`,
    );
}
if (faults > 0) exit(1);
