import { readFile, writeFile } from 'node:fs/promises';
import { createDisks, DiskError, type DiskModule, MemoryDisk, type ReadIo } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { checkDisk, checkFile } from '../../support/check.ts';
import {
  BITMAPS,
  type Build,
  COPIED,
  extended,
  OUTSIDE,
  or,
  plain,
  set,
  withBitmap,
  withSnapshot,
} from '../../support/check-images.ts';
import { able } from '../../support/crash-run.ts';
import { ImagePatch, patchImage } from '../../support/image-patch.ts';
import { FORMATS } from '../../support/open.ts';
import { describeWithQemu, qemuImg } from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

// Clusters of an unreadable structure look leaked, but may hold the only copy of its content. They are not reported as
// leaks, and not freed.

const disks = createDisks({ formats: FORMATS, drivers: [fileDriver()], codecs: zlibCodecs });

/** Byte of the L1 table of the first snapshot. */
const snapshotL1 = (image: ImagePatch): number => Number(image.bytes.readBigUInt64BE(image.snapshotsAt));

type Unreadable = readonly [name: string, build: Build, patch: (image: ImagePatch) => void];

const UNREADABLE: readonly Unreadable[] = [
  ['a snapshot table outside of the file', withSnapshot, (image) => image.u64(64, set(OUTSIDE))],
  ['a snapshot table at no multiple of the cluster size', withSnapshot, (image) => image.u64(64, or(512n))],
  ['a snapshot table with too many snapshots', withSnapshot, (image) => image.u32(60, 65_537)],
  [
    'a snapshot entry with so much extra data that the next one is lost',
    async (folder) => {
      const path = await withSnapshot(folder);
      await qemuImg('snapshot', '-c', 'two', path);
      return path;
    },
    (image) => {
      image.u32(image.snapshotsAt + 36, 2000);
      image.append(Buffer.alloc(4096));
    },
  ],
  [
    'an L1 table of a snapshot outside of the file',
    withSnapshot,
    (image) => image.u64(image.snapshotsAt, set(OUTSIDE)),
  ],
  [
    'an L1 table of a snapshot at no multiple of the cluster size',
    withSnapshot,
    (image) => image.u64(image.snapshotsAt, or(512n)),
  ],
  [
    'an L1 table of a snapshot that is too long',
    withSnapshot,
    (image) => image.u32(image.snapshotsAt + 8, 2 ** 22 + 1),
  ],
  [
    'an L2 table of a snapshot outside of the file',
    withSnapshot,
    (image) => image.u64(snapshotL1(image), set(OUTSIDE)),
  ],
  [
    'an L2 table of a snapshot at no multiple of the cluster size',
    withSnapshot,
    (image) => image.u64(snapshotL1(image), or(512n)),
  ],
  ['an L2 table outside of the file', plain, (image) => image.u64(image.l1At, set(COPIED | OUTSIDE))],
  ['an L2 table at no multiple of the cluster size', plain, (image) => image.u64(image.l1At, or(512n))],
  [
    'a bitmap directory outside of the file',
    withBitmap,
    (image) => image.u64(image.extensionAt(BITMAPS) + 16, set(OUTSIDE)),
  ],
  [
    'a bitmap table outside of the file',
    withBitmap,
    (image) => image.u64(image.place(image.extensionAt(BITMAPS) + 16), set(OUTSIDE)),
  ],
  [
    'a bitmap table that is too long',
    withBitmap,
    (image) => image.u32(image.place(image.extensionAt(BITMAPS) + 16) + 8, 2 ** 31),
  ],
  [
    'a compressed cluster with a sub-cluster bitmap',
    extended,
    (image) => image.u64(image.l2At() + 9 * 16 + 8, set(1)),
  ],
];

describeWithQemu('what cannot be read', () => {
  const temp = tempFolder();
  for (const [name, build, patch] of UNREADABLE) {
    test.concurrent(`${name}: what it may name is no leak, and stays`, async () => {
      const path = await build(await temp.next());
      await patchImage(path, patch);
      const damaged = await readFile(path);
      const report = await checkFile(path);
      expect(report.leaks).toBe(0);
      expect(report.unattributed).toBeGreaterThan(0);
      expect(report.corruptions + report.errors).toBeGreaterThan(0);
      const repairing = async (): Promise<unknown> => {
        await using disk = await disks.open(path, { mountMode: 'rw', format: 'qcow2', metadataOnly: true });
        return await able(disk, 'repair').repair({ fix: 'leaks' });
      };
      await expect(repairing()).rejects.toBeInstanceOf(DiskError);
      expect((await readFile(path)).equals(damaged)).toBe(true);
    });
  }

  test('a table on a bad sector: neither fix changes anything', async () => {
    const path = await withSnapshot(await temp.next());
    const bytes = await readFile(path);
    const image = new ImagePatch(bytes);
    image.refcount(5, 9); // something to repair
    for (const bad of [
      image.l2At(),
      Number(bytes.readBigUInt64BE(snapshotL1(image)) & 0xff_ffff_ffff_fe00n),
    ]) {
      const storage = new BadSector(bytes.slice(), bad);
      const open = (mountMode: 'r' | 'rw'): Promise<DiskModule> =>
        disks.open(storage, { mountMode, format: 'qcow2', metadataOnly: true });
      await storage.init();
      const report = await checkDisk(await open('r'));
      expect(report.leaks, JSON.stringify(report.findings)).toBe(0);
      expect(report.errors, JSON.stringify(report.findings)).toBeGreaterThan(0);
      for (const fix of ['leaks', 'all'] as const) {
        const repairing = async (): Promise<unknown> => {
          await using disk = await open('rw');
          return await able(disk, 'repair').repair({ fix });
        };
        await expect(repairing()).rejects.toBeInstanceOf(Error);
        expect(Buffer.compare(storage.bytes, bytes)).toBe(0);
      }
    }
    await writeFile(path, bytes);
  });
});

/** A disk with a sector that cannot be read. */
class BadSector extends MemoryDisk {
  readonly #bad: number;

  constructor(bytes: Uint8Array, bad: number) {
    super(bytes);
    this.#bad = bad;
  }

  override async read(offset: number, length: number, io?: ReadIo): Promise<Uint8Array> {
    this.#check(offset, length);
    return await super.read(offset, length, io);
  }

  override readInto(offset: number, into: Uint8Array, io?: ReadIo): ReturnType<MemoryDisk['readInto']> {
    this.#check(offset, into.length);
    return super.readInto(offset, into, io);
  }

  #check(offset: number, length: number): void {
    if (offset < this.#bad + 512 && offset + length > this.#bad)
      throw new DiskError('ERR_IO', 'a bad sector');
  }

  override async close(): Promise<void> {}
}
