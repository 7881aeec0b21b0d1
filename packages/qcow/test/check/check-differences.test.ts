import { expect, test } from 'vitest';
import { checkFile, numbersOf } from '../support/check.ts';
import { type Build, bitmapTable, or, plain, set, withBitmap, written } from '../support/check-images.ts';
import { type ImagePatch, patchImage } from '../support/image-patch.ts';
import { checkWithQemu, describeWithQemu, plainSource, type QemuCheck } from '../support/qemu.ts';
import { KiB, qcow2Kind } from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

// Cases in which `qemu-img check` 7.2 counts differently, and why we do not follow it.

interface Difference {
  readonly build: Build;
  readonly patch: (image: ImagePatch) => void;
  /** Bytes of the image to keep. */
  readonly keep?: (image: ImagePatch) => number;
  readonly ours: Partial<QemuCheck>;
  /** `undefined` when qemu-img fails without numbers. */
  readonly theirs: Partial<QemuCheck> | undefined;
}

const v2 = written(qcow2Kind('0.10', 4 * KiB));

const DIFFERENCES: Readonly<Record<string, Difference>> = {
  'a zero bit in version 2 is reserved, and qemu takes it as version 3 does': {
    build: v2,
    patch: (image) => image.u64(image.l2EntryAt(3), or(1n)),
    ours: { corruptions: 1 },
    theirs: { corruptions: 0 },
  },
  'an L1 entry with reserved bits alone names no table, and qemu reads one at byte 0': {
    build: plain,
    patch: (image) => image.u64(image.l1At + 16, set(8)),
    ours: { corruptions: 1, allocatedClusters: 42 },
    theirs: { corruptions: 11, allocatedClusters: 48 },
  },
  'an L2 table at no multiple of the cluster size is no table, and qemu reads shifted entries': {
    build: plain,
    patch: (image) => image.u64(image.l1At, or(512n)),
    ours: { corruptions: 1, allocatedClusters: 16, compressedClusters: 0, leaks: 20 },
    theirs: { corruptions: 159 },
  },
  'an L2 table that is cut short cannot be read, and qemu takes zeroes for what is lost': {
    build: written(qcow2Kind('1.1', 4 * KiB), ['write -q -s TEXT 0 4k', 'discard -q 0 4k']),
    patch: () => {},
    keep: (image) => image.l2At() + 100,
    ours: { corruptions: 1 },
    theirs: { corruptions: 0 },
  },
  'a bitmap table entry that is not valid is one corruption, and qemu gives up': {
    build: withBitmap,
    patch: (image) => image.u64(bitmapTable(image), or(2n)),
    ours: { corruptions: 1, leaks: 1 },
    theirs: undefined,
  },
  'a bitmap table entry at no multiple of the cluster size is one corruption, and qemu gives up': {
    build: withBitmap,
    patch: (image) => image.u64(bitmapTable(image), or(1024n)),
    ours: { corruptions: 1, leaks: 1 },
    theirs: undefined,
  },
  'a bitmap directory that cannot be read is one corruption, and qemu does not open the image': {
    build: withBitmap,
    patch: (image) => image.u64(image.extensionAt(0x23852875) + 16, set(2n ** 40n)),
    ours: { corruptions: 1, errors: 0 },
    theirs: undefined,
  },
  'a snapshot table outside of the file is an error, and qemu reads an entry of zeroes': {
    build: plain,
    patch: (image) => {
      image.u32(60, 1);
      image.u64(64, set(2n ** 40n));
    },
    ours: { corruptions: 0, errors: 1 },
    theirs: { corruptions: 2, errors: 0 },
  },
  'too many snapshots are an error with numbers, and qemu gives up': {
    build: plain,
    patch: (image) => image.u32(60, 65_537),
    ours: { corruptions: 0, leaks: 0, errors: 1, allocatedClusters: 42 },
    theirs: undefined,
  },
  'a last cluster of less than 512 bytes counts, and qemu rounds the size down': {
    build: plain,
    patch: (image) => image.u64(24, (size) => size - 4096n + 100n),
    ours: { corruptions: 0, totalClusters: 2048 },
    theirs: { corruptions: 0, totalClusters: 2047 },
  },
};

describeWithQemu('check, where qemu-img counts otherwise', () => {
  const temp = tempFolder();
  for (const [name, { build, patch, keep, ours, theirs }] of Object.entries(DIFFERENCES)) {
    test.concurrent(name, async () => {
      const path = await build(await temp.next());
      await patchImage(path, patch, keep);
      const report = await checkFile(path);
      expect(numbersOf(report), JSON.stringify(report.findings)).toMatchObject(ours);
      const checking = checkWithQemu(...plainSource(path, 'qcow2'));
      if (theirs === undefined) await expect(checking).rejects.toThrow();
      else expect(await checking).toMatchObject(theirs);
    });
  }
});
