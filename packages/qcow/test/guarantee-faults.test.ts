import { deflateRawSync } from 'node:zlib';
import { can, DiskError, type DiskModule } from '@diskstack/core';
import { describe, expect, test } from 'vitest';
import { bitmapDirectory, bitmapExtentsOf, bitmapsExtension } from './support/bitmaps.ts';
import { noise, text } from './support/content.ts';
import { flawedDisk } from './support/flawed-disk.ts';
import { compressed, FIRST_FREE, qcow2Image, standard } from './support/image-builder.ts';
import { openDisk } from './support/open.ts';
import { snapshotTable } from './support/snapshot-table.ts';

// A read below that fails or is short is an error with its own code, never data, and leaves no state.

const CLUSTER = 4096;
const [DATA, STREAM, SNAPSHOTS, SNAPSHOT_L1, SNAPSHOT_L2, DIRECTORY, BITMAP, BITS, NAME] = Array.from(
  { length: 9 },
  (_, index) => (FIRST_FREE + index) * CLUSTER,
) as [number, number, number, number, number, number, number, number, number];
const content = noise(CLUSTER, 1);
const packed = text(CLUSTER, 2);
const stream = deflateRawSync(packed);

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(CLUSTER);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

const directory = bitmapDirectory([{ tableOffset: BITMAP, tableSize: 1, name: 'b' }]);
const image = qcow2Image({
  l2: { 0: standard(DATA), 1: compressed(STREAM, stream.length) },
  header: { nbSnapshots: 1, snapshotsOffset: SNAPSHOTS, autoclearFeatures: 1n },
  extensions: [bitmapsExtension(1, directory.length, DIRECTORY)],
  at: [
    [DATA, content],
    [STREAM, stream],
    [SNAPSHOTS, snapshotTable([{ l1TableOffset: SNAPSHOT_L1, l1Size: 1, id: '1', name: 'one' }])],
    [SNAPSHOT_L1, u64(BigInt(SNAPSHOT_L2))],
    [SNAPSHOT_L2, u64(standard(DATA))],
    [DIRECTORY, directory],
    [BITMAP, u64(BigInt(BITS))],
    [BITS, new Uint8Array(CLUSTER).fill(0xff)],
    [NAME, new Uint8Array(CLUSTER)],
  ],
});

const readAll = async (disk: DiskModule): Promise<Uint8Array> => await disk.read(0, 2 * CLUSTER);
const expected = new Uint8Array(2 * CLUSTER);
expected.set(content);
expected.set(packed, CLUSTER);

interface Place {
  readonly at: number;
  /** Opens the image and reads a range that needs this structure. Returns the bytes. */
  readonly work: (file: DiskModule) => Promise<unknown>;
  readonly answer: unknown;
}

const open = (file: DiskModule, options: Parameters<typeof openDisk>[1] = {}) =>
  openDisk(file, { format: 'qcow2', ...options });
const openAndRead = async (file: DiskModule) => {
  const disk = await open(file);
  return await readAll(disk);
};
const openSnapshot = async (file: DiskModule) => {
  const disk = await open(file, { snapshot: 'one' });
  return await disk.read(0, CLUSTER);
};
const readBitmap = async (file: DiskModule) => await bitmapExtentsOf(await open(file), 'b');
const BITMAP_SAYS = [{ offset: 0, length: 16 * CLUSTER, dirty: true }];

const PLACES: Readonly<Record<string, Place>> = {
  'the header': { at: 30, work: openAndRead, answer: expected },
  'the extensions': { at: 120, work: openAndRead, answer: expected },
  'the L1 table': { at: 2 * CLUSTER + 3, work: openAndRead, answer: expected },
  'an L2 table': { at: 3 * CLUSTER + 4000, work: openAndRead, answer: expected },
  'a data cluster': { at: DATA + 1000, work: openAndRead, answer: expected },
  'a compressed cluster': { at: STREAM + 20, work: openAndRead, answer: expected },
  'the snapshot table': { at: SNAPSHOTS + 20, work: openSnapshot, answer: content },
  'the L1 table of a snapshot': { at: SNAPSHOT_L1 + 4, work: openSnapshot, answer: content },
  'the L2 table of a snapshot': { at: SNAPSHOT_L2 + 4, work: openSnapshot, answer: content },
  'a bitmap directory': { at: DIRECTORY + 9, work: readBitmap, answer: BITMAP_SAYS },
  'a bitmap table': { at: BITMAP + 3, work: readBitmap, answer: BITMAP_SAYS },
  'the bits of a bitmap': { at: BITS + 100, work: readBitmap, answer: BITMAP_SAYS },
};
const CODES = {
  fails: 'ERR_IO',
  'falls short': 'ERR_SHORT_READ',
  'gives nothing': 'ERR_SHORT_READ',
} as const;

describe.each(['fails', 'falls short', 'gives nothing'] as const)('a read that %s', (what) => {
  test.each(Object.entries(PLACES))(
    'in %s is a typed error, and no data',
    async (name, { at, work, answer }) => {
      const file = flawedDisk(image);
      file.fault = { at, what };
      const error = await work(file.disk).catch((caught: unknown) => caught);
      expect(file.hits).toBeGreaterThan(0);
      expect(error).toBeInstanceOf(DiskError);
      expect(error).toMatchObject({ code: name === 'a bitmap directory' ? 'ERR_NOT_FOUND' : CODES[what] });

      const sound = flawedDisk(image);
      expect(await work(sound.disk)).toEqual(answer);
    },
  );

  test.each([
    'an L2 table',
    'a data cluster',
    'a compressed cluster',
    'a bitmap table',
    'the bits of a bitmap',
  ])('in %s is forgotten: the same disk reads again', async (name) => {
    const place = PLACES[name];
    if (place === undefined) throw new Error('no such place');
    const file = flawedDisk(image);
    const disk = await open(file.disk);
    const work = place.work === readBitmap ? () => bitmapExtentsOf(disk, 'b') : () => readAll(disk);
    file.fault = { at: place.at, what };
    for (let count = 0; count < 2; count++) await expect(work()).rejects.toBeInstanceOf(DiskError);
    file.fault = undefined;
    expect(await work()).toEqual(place.answer);
    await disk.close();
  });

  test('in a data cluster does not spoil another read that is under way', async () => {
    const file = flawedDisk(image);
    const disk = await open(file.disk);
    await disk.read(0, 1);
    file.fault = { at: DATA + 4000, what };
    const [bad, good] = await Promise.allSettled([disk.read(3000, 1096), disk.read(0, 1000)]);
    expect(bad.status).toBe('rejected');
    expect(good).toMatchObject({ status: 'fulfilled', value: content.slice(0, 1000) });
    await disk.close();
  });

  test('under a check is told as a finding, and the check ends', async () => {
    const file = flawedDisk(image);
    const disk = await open(file.disk);
    file.fault = { at: 3 * CLUSTER + 100, what };
    if (!can(disk, 'check')) throw new Error('the disk has no check');
    const report = await disk.check();
    expect(report.errors).toBe(1);
    expect(report.findings.some(({ kind }) => kind === 'error')).toBe(true);
    await disk.close();
  });
});
