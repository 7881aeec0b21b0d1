import { DEFAULT_LIMITS } from '@diskstack/core';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { checkDisk } from '../support/check.ts';
import { noise } from '../support/content.ts';
import { COPIED, FIRST_FREE, type ImageSpec, qcow2Image, standard } from '../support/image-builder.ts';
import { infoOf, openBytes, readBytes } from '../support/open.ts';
import { knownExtra, type SnapshotSpec, snapshotTable } from '../support/snapshot-table.ts';

// Snapshot tables that no tool would write. The active state has `now` in its first cluster, every snapshot `then`.

const CLUSTER = 4096;
const [NOW, THEN, L2, L1, TABLE] = [0, 1, 2, 3, 4].map((index) => (FIRST_FREE + index) * CLUSTER) as [
  number,
  number,
  number,
  number,
  number,
];
const now = noise(CLUSTER, 1);
const then = noise(CLUSTER, 2);
const SNAPSHOT: SnapshotSpec = { l1TableOffset: L1, l1Size: 1, id: '1', name: 'first' };

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

function image(specs: readonly Partial<SnapshotSpec>[], more: ImageSpec = {}): Uint8Array {
  const table = snapshotTable(specs.map((spec) => ({ ...SNAPSHOT, ...spec })));
  return qcow2Image({
    l2: { 0: standard(NOW) },
    ...more,
    header: { nbSnapshots: specs.length, snapshotsOffset: TABLE, ...more.header },
    at: [
      [NOW, now],
      [THEN, then],
      [L2, u64(standard(THEN))],
      [L1, u64(COPIED | BigInt(L2))],
      [TABLE, table],
      ...(more.at ?? []),
    ],
  });
}

/** The error of opening the snapshot. The active state can be read, with a warning. */
async function brokenTable(bytes: Uint8Array, snapshot = 'first') {
  await using disk = await openBytes(bytes);
  expect(await disk.read(0, CLUSTER)).toEqual(now);
  expect(infoOf(disk).snapshots).toBeUndefined();
  expect(infoOf(disk).warnings?.join()).toContain('the snapshots cannot be read');
  return await diskErrorOf(() => openBytes(bytes, { snapshot }));
}

describe('which snapshot is meant', () => {
  const two = image([
    { id: '1', name: 'first' },
    { id: '2', name: 'second', l1TableOffset: 2 * CLUSTER },
  ]);

  test.each(['1', 'first'])('%j is found by its id, or by its name', async (snapshot) => {
    expect(await readBytes(two, 0, CLUSTER, { snapshot })).toEqual(then);
  });

  test.each(['2', 'second'])('%j is another one', async (snapshot) => {
    expect(await readBytes(two, 0, CLUSTER, { snapshot })).toEqual(now);
  });

  test.each(['3', '', 'First', 'first ', '01'])(
    '%j is not found, and the ones that are there are named',
    async (snapshot) => {
      const error = await diskErrorOf(() => openBytes(two, { snapshot }));
      expect(error.code).toBe('ERR_NOT_FOUND');
      expect(error.reason).toContain('second');
    },
  );

  test('the id of one that is the name of another is ambiguous', async () => {
    const bytes = image([
      { id: '1', name: '2' },
      { id: '2', name: 'other' },
    ]);
    expect((await diskErrorOf(() => openBytes(bytes, { snapshot: '2' }))).code).toBe('ERR_ARGUMENT');
    expect(await readBytes(bytes, 0, CLUSTER, { snapshot: '1' })).toEqual(then);
  });

  test('one whose id is its name is not ambiguous', async () => {
    const bytes = image([{ id: '7', name: '7' }]);
    expect(await readBytes(bytes, 0, CLUSTER, { snapshot: '7' })).toEqual(then);
  });

  test('two of one name are ambiguous by it, and found by their ids', async () => {
    const bytes = image([
      { id: '1', name: 'same' },
      { id: '2', name: 'same' },
    ]);
    expect((await diskErrorOf(() => openBytes(bytes, { snapshot: 'same' }))).code).toBe('ERR_ARGUMENT');
    expect(await readBytes(bytes, 0, CLUSTER, { snapshot: '2' })).toEqual(then);
  });

  test('an image without snapshots has none to open', async () => {
    const error = await diskErrorOf(() => openBytes(qcow2Image(), { snapshot: '1' }));
    expect(error).toMatchObject({ code: 'ERR_NOT_FOUND', format: 'qcow2' });
  });

  test('control characters of a name are harmless in the message', async () => {
    const bytes = image([{ name: 'a\u001b[2J\n\u202e' }]);
    const error = await diskErrorOf(() => openBytes(bytes, { snapshot: 'b' }));
    expect(error.message).not.toMatch(/[\p{Cc}\u202e]/u);
  });
});

describe('extra data', () => {
  test.each([
    ['without any', new Uint8Array(0)],
    ['with a VM state size alone', new Uint8Array(8)],
    ['that is cut within the disk size', new Uint8Array(15)],
  ] as const)('an entry %s has the size of the active state', async (_, extra) => {
    await using disk = await openBytes(image([{ extra }], { version: 2, size: 5 * CLUSTER }), {
      snapshot: '1',
    });
    expect(disk.size()).toBe(5 * CLUSTER);
    expect(await disk.read(0, CLUSTER)).toEqual(then);
  });

  test('the disk size in it is the size of the snapshot', async () => {
    await using disk = await openBytes(image([{ diskSize: 3 * CLUSTER + 512 }]), { snapshot: '1' });
    expect(disk.size()).toBe(3 * CLUSTER + 512);
    expect(infoOf(disk).virtualSize).toBe(3 * CLUSTER + 512);
  });

  test('what is not known of it is skipped', async () => {
    const extra = Buffer.concat([knownExtra(2 * CLUSTER), noise(1000, 3)]);
    const bytes = image([{ extra }, { id: '2', name: 'second' }]);
    await using disk = await openBytes(bytes, { snapshot: 'second' });
    expect(infoOf(disk).snapshots?.map(({ name, diskSize }) => [name, diskSize])).toEqual([
      ['first', 2 * CLUSTER],
      ['second', 65_536],
    ]);
  });

  test('the VM state size is the 64-bit one where there is one', async () => {
    const large = Buffer.alloc(24);
    large.writeBigUInt64BE(2n ** 40n, 0);
    const bytes = image([
      { extra: new Uint8Array(0), vmStateSize: 77 },
      { id: '2', extra: large, vmStateSize: 77 },
    ]);
    await using disk = await openBytes(bytes);
    expect(infoOf(disk).snapshots?.map(({ vmStateSize }) => vmStateSize)).toEqual([77, 2 ** 40]);
  });

  test('the instruction count is told where it is known', async () => {
    const bytes = image([{}, { id: '2', extra: knownExtra(65_536, 42n) }]);
    await using disk = await openBytes(bytes);
    expect(infoOf(disk).snapshots?.map(({ icount }) => icount)).toEqual([undefined, 42]);
  });

  test('times are told to the nanosecond', async () => {
    await using disk = await openBytes(image([{}]));
    expect(infoOf(disk).snapshots).toMatchObject([
      { dateSec: 1_700_000_000, dateNsec: 123_456_789, vmClockSec: 5, vmClockNsec: 7 },
    ]);
  });

  test('more than qemu opens, and more than is read at a time, is passed over', async () => {
    for (const length of [1025, 300_000]) {
      await using disk = await openBytes(image([{ extra: new Uint8Array(length) }, { id: '2' }]));
      expect(infoOf(disk).snapshots?.map(({ id }) => id)).toEqual(['1', '2']);
    }
  });

  test.each([2 ** 31, 2 ** 20, 5000])(
    '%i bytes of it that cannot be there are a damaged field',
    async (length) => {
      const bytes = image([
        { extra: knownExtra(4096) },
        { id: '2', name: 'second', extra: knownExtra(4096) },
      ]);
      new DataView(bytes.buffer).setUint32(TABLE + 36, length);
      await using disk = await openBytes(bytes);
      expect(infoOf(disk).snapshots).toMatchObject([
        { id: '1', name: 'first', diskSize: 4096 },
        { id: '2', name: 'second', diskSize: 4096 },
      ]);
      expect((await checkDisk(disk)).findings.map(({ message }) => message).join()).toContain(
        `${length} bytes of extra data`,
      );
    },
  );

  test('a table of more than maxSnapshotTableBytes is refused', async () => {
    const limits = { ...DEFAULT_LIMITS, maxSnapshotTableBytes: 299_999 };
    const bytes = image(Array.from({ length: 300 }, () => ({ extra: new Uint8Array(1000) })));
    await using disk = await openBytes(bytes, { services: { limits } });
    expect(infoOf(disk).warnings?.join()).toContain('maxSnapshotTableBytes allows 299999');
  });

  test('sizes past 2^53 are exact, and such a snapshot is not opened', async () => {
    const extra = knownExtra(0);
    extra.writeBigUInt64BE(2n ** 63n + 1n, 0);
    extra.writeBigUInt64BE(2n ** 53n + 1n, 8);
    const bytes = image([{ extra }]);
    await using disk = await openBytes(bytes);
    expect(infoOf(disk).snapshots).toMatchObject([{ vmStateSize: 2n ** 63n + 1n, diskSize: 2n ** 53n + 1n }]);
    const error = await diskErrorOf(() => openBytes(bytes, { snapshot: '1' }));
    expect(error).toMatchObject({
      code: 'ERR_UNSUPPORTED',
      reason: expect.stringContaining('9007199254740993'),
    });
  });
});

describe('a table that cannot be read', () => {
  test('past the end of the file', async () => {
    const error = await brokenTable(image([{}], { header: { snapshotsOffset: 100 * CLUSTER } }));
    expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: 64 });
  });

  test('of more entries than the file has room for', async () => {
    const error = await brokenTable(image([{}], { header: { nbSnapshots: 60_000 } }));
    expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: 64 });
  });

  test('whose last entry is cut', async () => {
    const error = await brokenTable(image([{}, {}], { fileSize: TABLE + 130 }));
    expect(error.code).toBe('ERR_TRUNCATED');
    expect(error.offset).toBeGreaterThanOrEqual(TABLE);
  });

  test('of more entries than maxSnapshots allows', async () => {
    const error = await brokenTable(image([{}], { header: { nbSnapshots: 65_537 } }));
    expect(error).toMatchObject({ code: 'ERR_LIMIT', offset: 60 });
  });

  test('at no multiple of the cluster size', async () => {
    const error = await brokenTable(image([{}], { header: { snapshotsOffset: TABLE + 512 } }));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 64 });
  });

  test.each([
    ['at no multiple of the cluster size', { l1TableOffset: L1 + 512 }, 'ERR_CORRUPT'],
    ['at byte 0', { l1TableOffset: 0 }, 'ERR_CORRUPT'],
    ['past the end of the file', { l1TableOffset: 500 * CLUSTER }, 'ERR_TRUNCATED'],
    ['of more than 32 MiB', { l1Size: 2 ** 22 + 1 }, 'ERR_LIMIT'],
    ['too short for its disk', { l1Size: 0 }, 'ERR_CORRUPT'],
  ] as const)('an L1 table %s is that snapshot’s alone', async (_, spec, code) => {
    const bytes = image([spec, { id: '2', name: 'good' }]);
    expect(await readBytes(bytes, 0, CLUSTER)).toEqual(now);
    expect(await readBytes(bytes, 0, CLUSTER, { snapshot: 'good' })).toEqual(then);
    expect((await diskErrorOf(() => openBytes(bytes, { snapshot: 'first' }))).code).toBe(code);
  });
});
