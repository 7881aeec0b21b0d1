import { expect, test } from 'vitest';
import { checkFile, numbersOf } from '../support/check.ts';
import { random } from '../support/content.ts';
import { checkWithQemu, describeWithQemu, encryptedSource, plainSource, qemuImg } from '../support/qemu.ts';
import { type Deed, deeds, type ImageKind, KiB, MiB, makeImage, qcow2Kind } from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

// Without writes over compressed clusters: qemu 7.2 itself can leave a wrong COPIED bit there.
const ALL: readonly Deed[] = ['plain', 'part', 'compressed', 'zero', 'unmap', 'discard'];
const PLAIN: readonly Deed[] = ['plain', 'part', 'zero', 'unmap', 'discard'];
const SECRET = 'open sesame';

interface Shape {
  readonly kind: ImageKind;
  readonly what?: readonly Deed[];
  /** Guest bytes. Default: 3 MiB. */
  readonly size?: number;
  readonly secret?: string;
  /** What is done to the image when it is written. */
  readonly afterwards?: (path: string) => Promise<unknown>;
}

const v2 = (clusterSize: number, more?: string): ImageKind => qcow2Kind('0.10', clusterSize, more);
const v3 = (clusterSize: number, more?: string): ImageKind => qcow2Kind('1.1', clusterSize, more);
const snapshots = async (path: string): Promise<void> => {
  for (const name of ['first', 'second']) {
    await qemuImg('snapshot', '-c', name, path);
    await qemuImg('bench', '-q', '-w', '-c', '20', '-s', '4096', '-S', '65536', '-f', 'qcow2', path);
  }
};
const bitmaps = async (path: string): Promise<void> => {
  await qemuImg('bitmap', '--add', '-g', '512', path, 'fine');
  await qemuImg('bitmap', '--add', '-g', '65536', path, 'coarse');
  await qemuImg('bench', '-q', '-w', '-c', '20', '-s', '4096', '-S', '65536', '-f', 'qcow2', path);
};

const SHAPES: Readonly<Record<string, Shape>> = {
  'v2 with 512-byte clusters': { kind: v2(512), what: ['plain', 'part', 'compressed', 'unmap'] },
  'v2 with 64 KiB clusters': { kind: v2(64 * KiB), what: ALL },
  'v3 with 512-byte clusters': { kind: v3(512), what: ['plain', 'part', 'compressed', 'zero'] },
  'v3 with 4 KiB clusters': { kind: v3(4 * KiB), what: ALL },
  'v3 with 64 KiB clusters': { kind: v3(64 * KiB), what: ALL },
  'v3 with 2 MiB clusters': { kind: v3(2 * MiB), what: ALL, size: 40 * MiB },
  'zstd clusters': { kind: v3(64 * KiB, 'compression_type=zstd'), what: ALL },
  ...Object.fromEntries(
    [1, 2, 4, 8, 16, 32, 64].map((bits): [string, Shape] => [
      `refcounts of ${bits} bits`,
      { kind: v3(4 * KiB, `refcount_bits=${bits}`), what: bits < 4 ? PLAIN : ALL },
    ]),
  ),
  'extended L2 entries': { kind: v3(16 * KiB, 'extended_l2=on'), what: ALL },
  'extended L2 entries of 64 KiB clusters': { kind: v3(64 * KiB, 'extended_l2=on'), what: ALL },
  'preallocated metadata': { kind: v3(64 * KiB, 'preallocation=metadata'), what: PLAIN },
  'preallocated data': { kind: v3(4 * KiB, 'preallocation=falloc'), what: PLAIN },
  'lazy refcounts': { kind: v3(64 * KiB, 'lazy_refcounts=on'), what: ALL },
  'an empty disk': { kind: v3(64 * KiB), size: 0 },
  'a disk of 64 TiB': { kind: v3(2 * MiB), size: 64 * 2 ** 40 },
  'a disk that has grown': {
    kind: v3(4 * KiB),
    what: ALL,
    afterwards: (path) => qemuImg('resize', '-q', path, '40M'),
  },
  'a disk that has shrunk': {
    kind: v3(4 * KiB),
    what: ALL,
    afterwards: (path) => qemuImg('resize', '-q', '--shrink', path, '1M'),
  },
  'snapshots of v2': { kind: v2(64 * KiB), what: ALL, afterwards: snapshots },
  'snapshots of v3': { kind: v3(4 * KiB), what: ALL, afterwards: snapshots },
  'snapshots with refcounts of 64 bits': {
    kind: v3(4 * KiB, 'refcount_bits=64'),
    what: ALL,
    afterwards: snapshots,
  },
  'snapshots with extended L2 entries': {
    kind: v3(16 * KiB, 'extended_l2=on'),
    what: ALL,
    afterwards: snapshots,
  },
  'a snapshot longer than the disk': {
    kind: v3(4 * KiB),
    what: ALL,
    size: 20 * MiB,
    afterwards: async (path) => {
      await qemuImg('snapshot', '-c', 'long', path);
      await qemuImg('resize', '-q', '--shrink', path, '1M');
    },
  },
  bitmaps: { kind: v3(4 * KiB), what: ALL, afterwards: bitmaps },
  'bitmaps and snapshots': {
    kind: v3(64 * KiB),
    what: ALL,
    afterwards: (path) => bitmaps(path).then(() => snapshots(path)),
  },
  'an external data file': { kind: v3(64 * KiB, 'data_file=DATA'), what: PLAIN },
  'a raw external data file': { kind: v3(4 * KiB, 'data_file=DATA,data_file_raw=on'), what: PLAIN },
  'an external data file with extended L2 entries': {
    kind: v3(16 * KiB, 'data_file=DATA,extended_l2=on'),
    what: PLAIN,
  },
  LUKS: { kind: v3(64 * KiB, 'encrypt.format=luks,encrypt.iter-time=10'), what: ALL, secret: SECRET },
  'LUKS with 512-byte clusters': {
    kind: v3(512, 'encrypt.format=luks,encrypt.iter-time=10'),
    what: ['plain', 'part'],
    secret: SECRET,
  },
  AES: { kind: v2(4 * KiB, 'encrypt.format=aes'), what: PLAIN, secret: SECRET },
};

describeWithQemu('check of an image without damage', () => {
  const temp = tempFolder();
  for (const [index, [name, shape]] of Object.entries(SHAPES).entries()) {
    test.concurrent(`${name}: nothing is found, and the numbers are qemu-img's`, async () => {
      const folder = await temp.next();
      const { what, size = 3 * MiB, secret, afterwards } = shape;
      const kind = { ...shape.kind, options: shape.kind.options.replace('DATA', `${folder}/data`) };
      const commands = what === undefined ? [] : deeds(random(500 + index), kind, size, what);
      const path = await makeImage(folder, { name: 'disk', kind, size, secret, commands });
      await afterwards?.(path);
      const source =
        secret === undefined ? plainSource(path, 'qcow2') : encryptedSource(path, 'qcow2', secret);

      const report = await checkFile(path);
      expect(report.findings).toEqual([]);
      expect(numbersOf(report)).toEqual(await checkWithQemu(...source));
    });
  }
});
