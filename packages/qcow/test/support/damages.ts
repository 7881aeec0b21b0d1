import {
  and,
  BITMAPS,
  type Build,
  bitmapTable,
  COPIED,
  cluster,
  extended,
  OUTSIDE,
  oneBit,
  or,
  plain,
  set,
  withBitmap,
  withDataFile,
  withSnapshot,
} from './check-images.ts';
import type { ImagePatch } from './image-patch.ts';
import { qemuImg } from './qemu.ts';

/** An image, and what is done to it. */
export interface Damage {
  readonly build: Build;
  readonly patch: (image: ImagePatch) => void;
  /** Bytes that stay. */
  readonly keep?: (image: ImagePatch) => number;
  /** No finding is expected. */
  readonly harmless?: boolean;
  /** Two structures in one cluster: our check reports that, and qemu-img reports the consequences. */
  readonly overlap?: boolean;
  /** The guest bytes are all there, in spite of the overlap. */
  readonly keepsContent?: boolean;
  /** qemu-img opens it only for `-r all`. */
  readonly unopenable?: boolean;
}

/** One of each kind of damage, by what it is. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  'a refcount that is too high': {
    build: plain,
    patch: (image) => image.refcount(cluster(image, image.l2EntryAt(3)), 2),
  },
  'a refcount that is too low': {
    build: plain,
    patch: (image) => image.refcount(cluster(image, image.l2EntryAt(3)), 0),
  },
  'a refcount of a cluster that nothing names': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(3), set(0)),
  },
  'a refcount of 0 for the header': { build: plain, patch: (image) => image.refcount(0, 0) },
  'a COPIED bit that is missing in L2': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(3), and(~COPIED)),
  },
  'a COPIED bit that is missing in L1': {
    build: plain,
    patch: (image) => image.u64(image.l1At, and(~COPIED)),
  },
  'a COPIED bit that is missing for preallocated zeroes': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(16), and(~COPIED)),
  },
  'a COPIED bit of a compressed cluster': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(33), or(COPIED)),
  },
  'a COPIED bit of a cluster that a snapshot shares': {
    build: withSnapshot,
    patch: (image) => image.u64(image.l2EntryAt(8), or(COPIED)),
  },
  'a cluster outside of the file': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(3), set(COPIED | OUTSIDE)),
  },
  'a compressed cluster outside of the file': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(33), or(OUTSIDE)),
  },
  'an L2 table outside of the file': {
    build: plain,
    patch: (image) => image.u64(image.l1At, set(COPIED | OUTSIDE)),
  },
  'two entries that name one cluster': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(3), set(image.bytes.readBigUInt64BE(image.l2EntryAt(4)))),
  },
  'a data cluster over the L1 table': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(3), set(COPIED | BigInt(image.l1At))),
  },
  'a data cluster over the refcount table': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(3), set(COPIED | BigInt(image.refcountTableAt))),
    overlap: true,
    keepsContent: true,
  },
  'a data cluster over a refcount block': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(3), set(COPIED | BigInt(image.place(image.refcountTableAt)))),
  },
  'a compressed cluster over the header': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(33), set(1n << 62n)),
  },
  'a data cluster at no multiple of the cluster size': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(3), or(512n)),
  },
  'preallocated zeroes at no multiple of the cluster size': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(16), or(512n)),
  },
  'reserved bits of an L2 entry': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(3), or((1n << 58n) | 4n)),
  },
  'reserved bits of an L2 entry without a cluster': {
    build: plain,
    patch: (image) => image.u64(image.l2EntryAt(100), set(2)),
  },
  'reserved bits of an L1 entry': { build: plain, patch: (image) => image.u64(image.l1At, or(1n << 57n)) },
  'reserved bits of a refcount table entry': {
    build: plain,
    patch: (image) => image.u64(image.refcountTableAt, or(1n)),
  },
  'a refcount table entry at no multiple of the cluster size': {
    build: plain,
    patch: (image) => image.u64(image.refcountTableAt, or(512n)),
  },
  'a refcount table entry outside of the file': {
    build: plain,
    patch: (image) => image.u64(image.refcountTableAt + 8, set(OUTSIDE)),
  },
  'a refcount block that is missing': {
    build: plain,
    patch: (image) => image.u64(image.refcountTableAt, set(0)),
  },
  'a refcount block that two entries name': {
    build: plain,
    patch: (image) => image.u64(image.refcountTableAt + 8, set(image.place(image.refcountTableAt))),
  },
  'a refcount table outside of the file': { build: plain, patch: (image) => image.u64(48, set(OUTSIDE)) },
  'a refcount table over the L1 table': {
    build: plain,
    patch: (image) => image.u64(48, set(image.l1At)),
    overlap: true,
    keepsContent: true,
  },
  'a refcount table entry of 64 bits': {
    build: plain,
    patch: (image) => image.u64(image.refcountTableAt, or(1n << 63n)),
  },
  'an L2 table that two L1 entries name': {
    build: plain,
    patch: (image) => image.u64(image.l1At + 8, set(image.bytes.readBigUInt64BE(image.l1At))),
  },
  'damage in an L2 table that two L1 entries name': {
    build: plain,
    patch: (image) => {
      image.u64(image.l1At + 8, set(image.bytes.readBigUInt64BE(image.l1At)));
      image.u64(image.l2EntryAt(3), or(4n));
      image.u64(image.l2EntryAt(5), set(COPIED | OUTSIDE));
    },
  },
  'damage in an L2 table that a snapshot shares': {
    build: withSnapshot,
    patch: (image) => image.u64(image.l2EntryAt(3, 1), or(4n)),
  },
  'a snapshot with an L1 table at no multiple of the cluster size': {
    build: withSnapshot,
    patch: (image) => image.u64(image.snapshotsAt, or(512n)),
  },
  'a snapshot with an L1 table outside of the file': {
    build: withSnapshot,
    patch: (image) => image.u64(image.snapshotsAt, set(OUTSIDE)),
  },
  'a snapshot with an L1 table of more than 32 MiB': {
    build: withSnapshot,
    patch: (image) => image.u32(image.snapshotsAt + 8, 2 ** 22 + 1),
  },
  'a snapshot of v3 that does not say how large its disk is': {
    build: withSnapshot,
    patch: ({ bytes, snapshotsAt }) => {
      bytes.writeUInt32BE(8, snapshotsAt + 36); // of 24 bytes of extra data
      bytes.copyWithin(snapshotsAt + 48, snapshotsAt + 64, snapshotsAt + 80);
    },
  },
  'a snapshot with an L1 table at byte 0': {
    build: withSnapshot,
    patch: (image) => image.u64(image.snapshotsAt, set(0)),
    overlap: true,
  },
  'a snapshot with an L1 table where the active one is': {
    build: withSnapshot,
    patch: (image) => image.u64(image.snapshotsAt, set(image.l1At)),
    overlap: true,
  },
  'a snapshot with a damaged L1 table, a refcount that is too low and a COPIED bit that is missing': {
    build: withSnapshot,
    patch: (image) => {
      image.u64(image.snapshotsAt, set(OUTSIDE));
      image.refcount(cluster(image, image.l2EntryAt(0)), 0);
      image.u64(image.l2EntryAt(1), and(~COPIED));
    },
  },
  'a snapshot with more extra data than qemu opens': {
    build: withSnapshot,
    patch: ({ bytes, snapshotsAt }) => {
      bytes.writeUInt32BE(1200, snapshotsAt + 36); // of 24
      bytes.copyWithin(snapshotsAt + 40 + 1200, snapshotsAt + 64, snapshotsAt + 80);
      bytes.fill(0, snapshotsAt + 64, snapshotsAt + 40 + 1200);
    },
    unopenable: true,
  },
  'a snapshot with a VM state of 2^63 bytes': {
    build: withSnapshot,
    patch: (image) => image.u64(image.snapshotsAt + 40, set(2n ** 63n)),
    harmless: true,
  },
  'a snapshot with a name of 40,000 bytes': {
    build: withSnapshot,
    patch: (image) => {
      const { bytes, snapshotsAt } = image;
      const end = bytes.length; // the table moves behind everything
      const entry = Buffer.alloc(10 * 4096, 0x61);
      bytes.copy(entry, 0, snapshotsAt, snapshotsAt + 65);
      entry.writeUInt16BE(40_000, 14);
      image.append(entry);
      image.u64(64, set(end));
    },
  },
  'an L2 table where the L1 table is': {
    build: plain,
    patch: (image) => image.u64(image.l1At, set(BigInt(image.l1At) | COPIED)),
    overlap: true,
  },
  'an L2 table where the refcount table is': {
    build: plain,
    patch: (image) => image.u64(image.l1At, set(BigInt(image.refcountTableAt) | COPIED)),
    overlap: true,
  },
  'an L2 table where a refcount block is': {
    build: plain,
    patch: (image) => image.u64(image.l1At, set(BigInt(image.place(image.refcountTableAt)) | COPIED)),
  },
  'a refcount block where data is, with refcounts of one bit': {
    build: oneBit,
    patch: (image) => image.u64(image.refcountTableAt, set(image.place(image.l2EntryAt(3)))),
    overlap: true,
    keepsContent: true,
  },
  'an L2 table where the snapshot table is': {
    build: withSnapshot,
    patch: (image) => image.u64(image.l1At + 8, set(image.snapshotsAt)),
    overlap: true,
  },
  'an L2 table of a snapshot where its L1 table is': {
    build: withSnapshot,
    patch: (image) => image.u64(image.place(image.snapshotsAt) + 8, set(image.place(image.snapshotsAt))),
    overlap: true,
  },
  'an L2 table where the L1 table of a snapshot is': {
    build: withSnapshot,
    patch: (image) => image.u64(image.l1At + 8, set(image.place(image.snapshotsAt))),
    overlap: true,
  },
  'a snapshot of v3 without the size of its disk, whose name reaches over data': {
    build: withSnapshot,
    patch: ({ bytes, snapshotsAt, clusterSize }) => {
      bytes.writeUInt32BE(8, snapshotsAt + 36); // of 24 bytes of extra data
      bytes.writeUInt16BE(3 * clusterSize, snapshotsAt + 14);
    },
    overlap: true,
    keepsContent: true,
  },
  'a snapshot that lost its L1 table': {
    build: withSnapshot,
    patch: (image) => image.u32(image.snapshotsAt + 8, 0),
  },
  'a bitmap table entry outside of the file': {
    build: withBitmap,
    patch: (image) => image.u64(bitmapTable(image), set(OUTSIDE)),
  },
  'a bitmap table outside of the file': {
    build: withBitmap,
    patch: (image) => image.u64(image.place(image.extensionAt(BITMAPS) + 16), set(OUTSIDE)),
  },
  'bitmaps that a writer did not know': { build: withBitmap, patch: (image) => image.u64(88, set(0)) },
  'a COPIED bit that is missing in an image with a data file': {
    build: withDataFile,
    patch: (image) => image.u64(image.l2EntryAt(3), and(~COPIED)),
  },
  'a compressed cluster in an image with a data file': {
    build: withDataFile,
    patch: (image) => image.u64(image.l2EntryAt(3), set(1n << 62n)),
  },
  'a preallocated zero cluster 0 in an image with a data file': {
    build: withDataFile,
    patch: (image) => image.u64(image.l2EntryAt(0), or(1n)),
  },
  'two references where the refcount has one bit': {
    build: oneBit,
    patch: (image) => image.u64(image.l2EntryAt(3), set(image.bytes.readBigUInt64BE(image.l2EntryAt(4)))),
  },
  'three references where the refcount has one bit': {
    build: oneBit,
    patch: (image) => {
      for (const index of [3, 5]) {
        image.u64(image.l2EntryAt(index), set(image.bytes.readBigUInt64BE(image.l2EntryAt(4))));
      }
    },
  },
  'sub-clusters that are allocated and zero': {
    build: extended,
    patch: (image) => image.u64(image.l2At() + 8, or(1n << 32n)),
  },
  'sub-clusters that are allocated nowhere': {
    build: extended,
    patch: (image) => image.u64(image.l2At() + 100 * 16 + 8, set(7)),
  },
  'a compressed cluster with a sub-cluster bitmap': {
    build: extended,
    patch: (image) => image.u64(image.l2At() + 9 * 16 + 8, set(1)),
  },
  'a file that is cut within its last cluster': {
    build: plain,
    patch: () => {},
    keep: (image) => image.bytes.length - 100,
    harmless: true,
  },
  'a file that lost its last clusters': {
    build: plain,
    patch: () => {},
    keep: (image) => image.bytes.length - 3 * image.clusterSize,
  },
  'a file with clusters after its end': {
    build: async (folder) => {
      const path = await plain(folder);
      await qemuImg('resize', '-q', '-f', 'raw', path, '+1M');
      return path;
    },
    patch: () => {},
    harmless: true,
  },
};
