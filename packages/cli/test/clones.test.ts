import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { openHost } from '@diskstack/host';
import { beforeAll, expect, test } from 'vitest';
import { mount, whyNoMounts } from '../../host/test/support/file-system.ts';
import { counting, sparseFile } from './support/images.ts';
import { WITHOUT_HOST } from './support/other-writer.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from './support/qemu.ts';
import { finished, start } from './support/run-cli.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

const parent = tempFolder();
const { clones } = await openHost();
const countReads = new URL('./support/programs/count-reads.mjs', import.meta.url).href;
const noClones = clones === undefined ? 'this Node cannot clone' : undefined;
if (noClones !== undefined) console.warn(`WARNING: tests of clones are skipped: ${noClones}`);

async function good(...args: string[]): Promise<void> {
  const { status, stderr } = await runHere(...args);
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
}

/** Writes of qemu-io with holes, zero clusters, and ranges that end inside a cluster. */
const WRITES = [
  'write -P 3 0 6M',
  'write -z 2M 512k',
  'write -P 4 8M 3M',
  'write -P 5 13000k 100k',
  'write -P 6 16777000 512',
];

function makeImages(folder: string): void {
  for (const size of ['512', '4k', '64k', '2M']) {
    create(folder, `c${size}.qcow2`, 'qcow2', '20M', { o: `cluster_size=${size}` });
    qemuIo(folder, `c${size}.qcow2`, 'qcow2', ...WRITES);
  }
  create(folder, 'mixed.qcow2', 'qcow2', '20M');
  qemuIo(folder, 'mixed.qcow2', 'qcow2', 'write -c -P 8 64k 64k', 'write -c -P 9 7M 64k', 'write -P 2 1M 2M');
  create(folder, 'over.qcow2', 'qcow2', '24M', { backing: ['c64k.qcow2', 'qcow2'] });
  qemuIo(folder, 'over.qcow2', 'qcow2', 'write -P 11 1M 1M', 'write -z 9M 1M', 'write -P 12 22M 1M');
  create(folder, 'snapshot.qcow2', 'qcow2', '20M');
  qemuIo(folder, 'snapshot.qcow2', 'qcow2', 'write -P 13 0 4M');
  qemuImg(folder, 'snapshot', '-c', 'one', 'snapshot.qcow2');
  qemuIo(folder, 'snapshot.qcow2', 'qcow2', 'write -P 14 1M 2M');
  sparseFile(join(folder, 'odd.raw'), 5 * MiB + 1536, [
    [0, counting(MiB)],
    [3 * MiB + 512, counting(2 * MiB + 1024, 5)],
  ]);
}

const FORMATS: readonly [image: string, format: string][] = [
  ...['c512', 'c4k', 'c64k', 'c2M', 'mixed', 'over', 'snapshot'].map((name): [string, string] => [
    `${name}.qcow2`,
    'qcow2',
  ]),
  ['odd.raw', 'raw'],
];

const sharedExtents = (path: string): number =>
  execFileSync('filefrag', ['-s', '-v', path], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => /^ +\d+:.*shared/.test(line)).length;

for (const kind of ['xfs', 'btrfs'] as const) {
  const tests = (): void => {
    const folder = join(parent, kind);
    const at = (name: string): string => join(folder, name);
    beforeAll(() => {
      const unmount = mount(parent, kind, GiB);
      makeImages(folder);
      return unmount;
    });

    const SHARED: ReadonlySet<string> = new Set([
      'c64k.qcow2',
      'c2M.qcow2',
      'over.qcow2',
      'odd.raw',
      'snapshot.qcow2',
    ]);

    test.for(FORMATS)('convert of %s to raw', async ([image, format]) => {
      await good('convert', '-f', format, '-O', 'raw', at(image), at('out.raw'));
      qemuImg(folder, 'convert', '-f', format, '-O', 'raw', image, 'reference.raw');
      expect(readFileSync(at('out.raw')).equals(readFileSync(at('reference.raw')))).toBe(true);
      if (SHARED.has(image)) expect(sharedExtents(at('out.raw'))).toBeGreaterThan(0);
    });

    test.for(
      FORMATS.flatMap(([image, format]) =>
        ['512', '4k', '64k', '2M'].map((size) => [image, format, size] as const),
      ),
    )('convert of %s (%s) to qcow2 with clusters of %s', async ([image, format, size]) => {
      const o = `cluster_size=${size}`;
      await good('convert', '-f', format, '-O', 'qcow2', '-o', o, at(image), at('out.qcow2'));
      qemuImg(folder, 'compare', '-f', format, '-F', 'qcow2', image, 'out.qcow2');
      qemuImg(folder, 'check', 'out.qcow2');
      if (SHARED.has(image) && size === '64k') expect(sharedExtents(at('out.qcow2'))).toBeGreaterThan(0);
    });

    test('convert of a snapshot', async () => {
      await good('convert', '-f', 'qcow2', '-l', 'one', '-O', 'raw', at('snapshot.qcow2'), at('one.raw'));
      qemuImg(folder, 'convert', '-f', 'qcow2', '-l', 'one', '-O', 'raw', 'snapshot.qcow2', 'reference.raw');
      expect(readFileSync(at('one.raw')).equals(readFileSync(at('reference.raw')))).toBe(true);
    });

    test('dd at a block and between blocks', async () => {
      for (const skip of [256, 257]) {
        const ours = [`if=${at('c64k.qcow2')}`, `of=${at('part.raw')}`, 'bs=4096', `skip=${skip}`];
        await good('dd', '-f', 'qcow2', '-O', 'raw', ...ours);
        const theirs = ['if=c64k.qcow2', 'of=reference.raw', 'bs=4096', `skip=${skip}`];
        qemuImg(folder, 'dd', '-f', 'qcow2', '-O', 'raw', ...theirs);
        expect(readFileSync(at('part.raw')).equals(readFileSync(at('reference.raw')))).toBe(true);
      }
    });

    test.for(['raw', 'qcow2'])('commit into a %s base', async (format) => {
      qemuImg(folder, 'convert', '-f', 'qcow2', '-O', format, 'c64k.qcow2', `base.${format}`);
      create(folder, 'top.qcow2', 'qcow2', '20M', { backing: [`base.${format}`, format] });
      qemuIo(
        folder,
        'top.qcow2',
        'qcow2',
        'write -P 21 1M 3M',
        'write -P 22 11M 1M',
        'write -z 8M 1M',
        'write -P 23 19M 700',
      );
      qemuImg(folder, 'convert', '-f', 'qcow2', '-O', 'raw', 'top.qcow2', 'reference.raw');
      await good('commit', '-f', 'qcow2', '-d', '-q', at('top.qcow2'));
      qemuImg(folder, 'compare', '-f', format, '-F', 'raw', `base.${format}`, 'reference.raw');
      if (format === 'qcow2') qemuImg(folder, 'check', 'base.qcow2');
      expect(sharedExtents(at(`base.${format}`))).toBeGreaterThan(0);
    });

    test('a write to the output does not change the input', async () => {
      await good('convert', '-f', 'qcow2', '-O', 'raw', at('c64k.qcow2'), at('own.raw'));
      qemuIo(folder, 'own.raw', 'raw', 'write -P 99 0 4M');
      qemuIo(folder, 'c64k.qcow2', 'qcow2', 'read -P 3 0 2M');
    });

    test('no guest data is read, and with -S it is', async () => {
      create(folder, 'plain.qcow2', 'qcow2', '96M');
      qemuIo(folder, 'plain.qcow2', 'qcow2', 'write -P 3 0 96M');
      const bytesRead = async (output: string, ...flags: string[]): Promise<number> => {
        const file = join(parent, 'bytes-read');
        const args = ['convert', ...flags, '-f', 'qcow2', at('plain.qcow2'), at(output)];
        const nodeOptions = `--import ${countReads}?file=${file}`;
        const { status, stderr } = await finished(start(args, folder, undefined, { nodeOptions }));
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        return Number.parseInt(readFileSync(file, 'utf8'), 10);
      };
      expect(await bytesRead('plain.raw', '-O', 'raw')).toBeLessThan(48 * MiB);
      expect(await bytesRead('copy.qcow2', '-O', 'qcow2')).toBeLessThan(48 * MiB);
      expect(await bytesRead('read.raw', '-O', 'raw', '-S', '4k')).toBeGreaterThan(96 * MiB);
      for (const [output, format] of [
        ['plain.raw', 'raw'],
        ['copy.qcow2', 'qcow2'],
        ['read.raw', 'raw'],
      ] as const)
        qemuImg(folder, 'compare', '-f', 'qcow2', '-F', format, 'plain.qcow2', output);
      expect(sharedExtents(at('read.raw'))).toBe(0);
    });

    test('preallocated outputs keep their space', async () => {
      await good(
        'convert',
        '-f',
        'qcow2',
        '-O',
        'raw',
        '-o',
        'preallocation=full',
        at('c64k.qcow2'),
        at('full.raw'),
      );
      expect(sharedExtents(at('full.raw'))).toBe(0);
      qemuImg(folder, 'compare', '-f', 'qcow2', '-F', 'raw', 'c64k.qcow2', 'full.raw');
    });

    test('the bytes are the same without the host, and across file systems', async () => {
      const args = ['convert', '-f', 'qcow2', '-O', 'raw', at('over.qcow2')];
      const run = await finished(
        start([...args, at('without.raw')], folder, undefined, { nodeOptions: WITHOUT_HOST }),
      );
      expect(run).toMatchObject({ status: 0, stderr: '' });
      expect(sharedExtents(at('without.raw'))).toBe(0);
      await good(...args, join(parent, `${kind}-elsewhere.raw`));
      for (const output of [at('without.raw'), join(parent, `${kind}-elsewhere.raw`)])
        qemuImg(folder, 'compare', '-f', 'qcow2', '-F', 'raw', 'over.qcow2', output);
    });

    test('a base that ends inside a cluster', async () => {
      copyFileSync(at('odd.raw'), at('short.raw'));
      truncateSync(at('short.raw'), 4 * MiB + 512);
      create(folder, 'long.qcow2', 'qcow2', '8M', { backing: ['short.raw', 'raw'] });
      await good('convert', '-f', 'qcow2', '-O', 'qcow2', at('long.qcow2'), at('flat.qcow2'));
      qemuImg(folder, 'compare', '-f', 'qcow2', '-F', 'qcow2', 'long.qcow2', 'flat.qcow2');
    });
  };
  describeWithQemu(`clones on ${kind}`, tests, noClones ?? whyNoMounts(kind));
}
