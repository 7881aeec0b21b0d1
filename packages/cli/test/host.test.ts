import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openHost } from '@diskstack/host';
import { describe, expect, test } from 'vitest';
import { counting, sparseFile } from './support/images.ts';
import { WITHOUT_HOST } from './support/other-writer.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from './support/qemu.ts';
import { finished, start } from './support/run-cli.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

const folder = tempFolder();
const { holes } = await openHost();
sparseFile(join(folder, 'probe.raw'), MiB, [[0, counting(4096)]]);
const hasHoles = statSync(join(folder, 'probe.raw')).blocks * 512 < MiB;

/** The stdout of a run that has to be good, in a process with these options of Node. */
async function good(nodeOptions: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await finished(start(args, folder, undefined, { nodeOptions }));
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return stdout.toString();
}

/** The same in this process. */
async function here(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runHere(
    ...args.map((arg) => (FILE.test(arg) ? join(folder, arg) : arg)),
  );
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return stdout.toString().replaceAll(`${folder}/`, '');
}
const FILE = /\.(raw|qcow2)$/;

const countReads = new URL('./support/programs/count-reads.mjs', import.meta.url).href;

/** The bytes that a run reads by system calls, its own code included. */
async function bytesRead(...args: string[]): Promise<number> {
  const file = join(folder, 'bytes-read');
  await good(`--import ${countReads}?file=${file}`, ...args);
  return Number.parseInt(readFileSync(file, 'utf8'), 10);
}

const block = counting(4096);
type Part = readonly [number, Uint8Array];
const SHAPES: readonly [string, number, Part[]][] = [
  ['empty', 0, []],
  ['tiny', 1, [[0, counting(1)]]],
  ['tiny-hole', 511, []],
  ['dense', 256 * KiB, [[0, counting(256 * KiB)]]],
  ['hole', 3 * MiB, []],
  ['hole-at-start', MiB, [[MiB - 4096, block]]],
  ['hole-at-end', MiB, [[0, block]]],
  ['odd-end', 200_003, [[196_608, counting(3395)]]],
  ['odd-hole', 200_003, [[8192, block]]],
  ['across-blocks', MiB, [[8191, counting(2)]]],
  [
    'many',
    4 * MiB,
    Array.from({ length: 64 }, (_, index): Part => [index * 64 * KiB + (index % 16) * 4096, block]),
  ],
  [
    'large',
    8 * GiB,
    [
      [0, block],
      [5 * GiB + 4096, counting(MiB)],
      [8 * GiB - 4096, block],
    ],
  ],
];

describeWithQemu('sparse raw files', () => {
  for (const [name, size, parts] of SHAPES) sparseFile(join(folder, `${name}.raw`), size, parts);
  // Zeroes that were written are data for the file system, and a hole for a search that reads.
  sparseFile(join(folder, 'zeroes.raw'), MiB, [[64 * KiB, new Uint8Array(128 * KiB)]]);
  create(folder, 'over-many.qcow2', 'qcow2', '6M', { backing: ['many.raw', 'raw'] });
  qemuIo(folder, 'over-many.qcow2', 'qcow2', 'write -P 3 128k 64k', 'write -z 1M 128k', 'write -P 4 5M 4k');
  create(folder, 'over-large.qcow2', 'qcow2', '8G', { backing: ['large.raw', 'raw'] });
  qemuIo(folder, 'over-large.qcow2', 'qcow2', 'write -P 3 1G 64k');
  const names = SHAPES.map(([name]) => name);

  describe.runIf(hasHoles && holes !== undefined)('with the host', () => {
    test.for([...names, 'zeroes'])('map of %s is that of qemu-img', async (name) => {
      const args = ['map', '--output', 'json', '-f', 'raw', `${name}.raw`];
      expect(await here(...args)).toBe(qemuImg(folder, ...args));
    });

    test.for(['over-many', 'over-large'])('map of %s is that of qemu-img', async (name) => {
      const args = ['map', '--output', 'json', '-f', 'qcow2', `${name}.qcow2`];
      expect(await here(...args)).toBe(qemuImg(folder, ...args));
    });

    test('a part of the map is that of qemu-img', async () => {
      const part = ['--start-offset', '262144', '--max-length', '1000448'];
      const args = ['map', '--output', 'json', '-f', 'raw', ...part, 'many.raw'];
      expect(await here(...args)).toBe(qemuImg(folder, ...args));
    });

    test.for(['many', 'large', 'zeroes'])('measure of %s is that of qemu-img', async (name) => {
      const args = ['measure', '--output', 'json', '-f', 'raw', '-O', 'qcow2', `${name}.raw`];
      expect(JSON.parse(await here(...args))).toEqual(JSON.parse(qemuImg(folder, ...args)));
    });
  });

  test.for(['tiny', 'hole', 'odd-end', 'many'])(
    'map and digest of %s are the same without the host',
    async (name) => {
      for (const command of [['map', '--output', 'json'], ['digest']]) {
        const args = [...command, '-f', 'raw', `${name}.raw`];
        expect(await good(WITHOUT_HOST, ...args)).toBe(await here(...args));
      }
    },
  );

  test.for(['many', 'odd-hole', 'zeroes'])(
    '%s becomes the same clusters with and without the host',
    async (name) => {
      const convert = ['convert', '-f', 'raw', '-O', 'qcow2', `${name}.raw`];
      await here(...convert, 'with.qcow2');
      await good(WITHOUT_HOST, ...convert, 'without.qcow2');
      for (const image of ['with.qcow2', 'without.qcow2'])
        qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow2', `${name}.raw`, image);
      // Clusters are written side by side, so their places in the file differ from run to run.
      const [one, other] = ['with.qcow2', 'without.qcow2'].map((image) => clustersOf(image));
      expect(one).toEqual(other);
    },
  );

  /** The runs of data and of zeroes that `qemu-img map` reports for an image, without their places in its file. */
  function clustersOf(image: string): readonly string[] {
    const map = JSON.parse(qemuImg(folder, 'map', '--output', 'json', '-f', 'qcow2', image)) as readonly {
      readonly start: number;
      readonly data: boolean;
      readonly zero: boolean;
    }[];
    const kinds = map.map(({ start, data, zero }) => ({ start, kind: `data ${data}, zero ${zero}` }));
    return kinds
      .filter(({ kind }, index) => kind !== kinds[index - 1]?.kind)
      .map(({ start, kind }) => `${start}: ${kind}`);
  }

  test('an overlay has the digest of its content with and without the host', async () => {
    qemuImg(folder, 'convert', '-O', 'raw', 'over-many.qcow2', 'flat.raw');
    const digest = createHash('sha256')
      .update(readFileSync(join(folder, 'flat.raw')))
      .digest('hex');
    expect(await here('digest', 'over-many.qcow2')).toContain(digest);
    expect(await good(WITHOUT_HOST, 'digest', 'over-many.qcow2')).toContain(digest);
  });

  /** What a run reads beside the disks: its code, from source. */
  const OWN = 64 * MiB;

  describe.runIf(hasHoles && holes !== undefined && existsSync('/proc/self/io'))('of 100 GiB', () => {
    const DATA = 8 * MiB;
    sparseFile(join(folder, 'huge.raw'), 100 * GiB, [
      [0, counting(4096)],
      [33 * GiB + 4096, counting(DATA)],
      [100 * GiB - 4096, counting(4096)],
    ]);
    create(folder, 'over-huge.qcow2', 'qcow2', '100G', { backing: ['huge.raw', 'raw'] });
    qemuIo(folder, 'over-huge.qcow2', 'qcow2', 'write -P 9 50G 64k');

    test('are converted by reading their data', async () => {
      expect(await bytesRead('convert', '-f', 'raw', '-O', 'qcow2', 'huge.raw', 'huge.qcow2')).toBeLessThan(
        OWN + 4 * DATA,
      );
      qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow2', 'huge.raw', 'huge.qcow2');
      expect(statSync(join(folder, 'huge.qcow2')).size).toBeLessThan(4 * DATA);
      expect(await bytesRead('compare', '-f', 'raw', '-F', 'qcow2', 'huge.raw', 'huge.qcow2')).toBeLessThan(
        OWN + 4 * DATA,
      );
    });

    test('are converted to a raw file with as many holes', async () => {
      await bytesRead('convert', '-f', 'raw', '-O', 'raw', 'huge.raw', 'copy.raw');
      expect(statSync(join(folder, 'copy.raw'))).toMatchObject({ size: 100 * GiB });
      expect(statSync(join(folder, 'copy.raw')).blocks * 512).toBeLessThan(4 * DATA);
      qemuImg(folder, 'compare', '-f', 'raw', '-F', 'raw', 'huge.raw', 'copy.raw');
      rmSync(join(folder, 'copy.raw'));
    });

    test.for(['map', 'measure -O qcow2'])('%s reads none of their data', async (command) => {
      for (const image of ['huge.raw', 'over-huge.qcow2'])
        expect(await bytesRead(...command.split(' '), image)).toBeLessThan(OWN);
    });

    test('an overlay on them is flattened by reading their data', async () => {
      const args = ['convert', '-O', 'qcow2', 'over-huge.qcow2', 'flat.qcow2'];
      expect(await bytesRead(...args)).toBeLessThan(OWN + 4 * DATA);
      qemuImg(folder, 'compare', 'over-huge.qcow2', 'flat.qcow2');
    });

    test('an overlay on them is rebased by reading the data of both bases', async () => {
      sparseFile(join(folder, 'other.raw'), 100 * GiB, [[70 * GiB, counting(MiB)]]);
      copyFileSync(join(folder, 'over-huge.qcow2'), join(folder, 'rebased.qcow2'));
      const args = ['rebase', '-f', 'qcow2', '-b', 'other.raw', '-F', 'raw', 'rebased.qcow2'];
      expect(await bytesRead(...args)).toBeLessThan(OWN + 4 * DATA);
      qemuImg(folder, 'compare', 'over-huge.qcow2', 'rebased.qcow2');
      expect(qemuImg(folder, 'info', 'rebased.qcow2')).toContain('other.raw');
    });

    test('an overlay on them is committed by reading its own data', async () => {
      qemuImg(folder, 'convert', '-O', 'qcow2', 'over-huge.qcow2', 'expected.qcow2');
      expect(await bytesRead('commit', '-d', 'over-huge.qcow2')).toBeLessThan(OWN + DATA);
      qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow2', 'huge.raw', 'expected.qcow2');
    });
  });
});

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const major = Number.parseInt(process.versions.node, 10);

// Older versions of Node warn that they strip types.
describe.runIf(major >= 26)('the command', () => {
  sparseFile(join(folder, 'quiet.raw'), MiB, [[0, block]]);

  test.for(['map quiet.raw', 'digest quiet.raw', 'convert -O qcow2 quiet.raw quiet.qcow2'])(
    '%s prints no warning about FFI',
    (command) => {
      const args = ['--conditions=@diskstack/source', main, ...command.split(' ')];
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );
});
