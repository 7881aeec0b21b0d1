import { DEFAULT_LIMITS, DiskError, type DiskModule, MemoryDisk, type ServiceOptions } from '@diskstack/core';
import { describe, expect, test } from 'vitest';
import { bitmapDirectory, bitmapsExtension } from './support/bitmaps.ts';
import { costOf } from './support/cost.ts';
import { type ImageSpec, qcow1Image, qcow2Image } from './support/image-builder.ts';
import { memoryGate } from './support/memory-gate.ts';
import { openDisk } from './support/open.ts';
import { type SnapshotSpec, snapshotTable } from './support/snapshot-table.ts';
import { sparseDisk } from './support/sparse-disk.ts';

// Opening an image costs at most a second and 64 MiB, whatever its header says. The file itself does not count.

const KiB = 1024;
const MiB = 1024 * KiB;
const TiB = MiB * MiB;
const AT = 8 * MiB;

const memory = (bytes: Uint8Array): DiskModule => new MemoryDisk(bytes, { writable: false });

/** An image with these bytes at 8 MiB, and a header that names them. */
function withTable(table: Uint8Array, more: ImageSpec): DiskModule {
  return memory(qcow2Image({ ...more, at: [[AT, table]] }));
}

const snapshots = (count: number, spec: Partial<SnapshotSpec> = {}): DiskModule => {
  const entry = snapshotTable([{ l1TableOffset: 8192, l1Size: 1, id: '1', name: 'a', ...spec }]);
  const table = new Uint8Array(entry.length * count);
  for (let index = 0; index < count; index++) table.set(entry, index * entry.length);
  return withTable(table, { header: { nbSnapshots: count, snapshotsOffset: AT } });
};

const bitmaps = (count: number, name: string): DiskModule => {
  const entry = bitmapDirectory([{ tableOffset: 8192, tableSize: 1, name }]);
  const directory = new Uint8Array(entry.length * count);
  for (let index = 0; index < count; index++) directory.set(entry, index * entry.length);
  return withTable(directory, {
    header: { autoclearFeatures: 1n },
    extensions: [bitmapsExtension(count, directory.length, AT)],
  });
};

interface Hostile {
  readonly image: () => DiskModule;
  /** The expected error code; `undefined` when the image opens. */
  readonly code?: string;
}

const huge = { l1: [] } as const;
const HOSTILE: Readonly<Record<string, Hostile>> = {
  'an L1 table of 32 MiB': {
    image: () =>
      sparseDisk(
        qcow2Image({
          ...huge,
          clusterBits: 16,
          size: 2 ** 22 * 512 * MiB,
          header: { l1Size: 2 ** 22, l1TableOffset: AT },
        }),
        TiB,
      ),
  },
  'an L1 table of more than 32 MiB': {
    image: () => sparseDisk(qcow2Image({ header: { l1Size: 2 ** 22 + 1 } }), TiB),
    code: 'ERR_LIMIT',
  },
  'an L1 table of 4 billion entries': {
    image: () => memory(qcow2Image({ header: { l1Size: 2 ** 32 - 1, size: 2n ** 52n } })),
    code: 'ERR_LIMIT',
  },
  'a disk of 8 PiB with a small L1 table': {
    image: () => memory(qcow2Image({ header: { size: 2n ** 53n - 1n } })),
    code: 'ERR_CORRUPT',
  },
  'an L1 table of 32 MiB in a small file': {
    image: () =>
      memory(
        qcow2Image({ ...huge, size: 2 ** 22 * 2 * MiB, header: { l1Size: 2 ** 22, l1TableOffset: AT } }),
      ),
    code: 'ERR_TRUNCATED',
  },
  'a refcount table of 4 billion clusters': {
    image: () => sparseDisk(qcow2Image({ header: { refcountTableClusters: 2 ** 32 - 1 } }), TiB),
  },
  '4 billion snapshots': {
    image: () => sparseDisk(qcow2Image({ header: { nbSnapshots: 2 ** 32 - 1, snapshotsOffset: AT } }), TiB),
  },
  '65,536 snapshots': { image: () => snapshots(65_536) },
  '65,536 snapshots in zeroes': {
    image: () => sparseDisk(qcow2Image({ header: { nbSnapshots: 65_536, snapshotsOffset: AT } }), TiB),
  },
  'snapshots with names of 60 MiB': { image: () => snapshots(1000, { name: 'n'.repeat(63 * KiB) }) },
  'snapshots with names of 60 MiB that are not ASCII': {
    image: () => snapshots(1000, { name: new Uint8Array(63 * KiB).fill(0xff) }),
  },
  'snapshots with ids of 60 MiB': { image: () => snapshots(1000, { id: 'n'.repeat(63 * KiB) }) },
  'a snapshot table of more than 64 MiB': { image: () => snapshots(1100, { name: 'n'.repeat(65_535) }) },
  '65,535 bitmaps': { image: () => bitmaps(65_535, 'b') },
  'bitmaps with names of 60 MiB': { image: () => bitmaps(1000, 'n'.repeat(63 * KiB)) },
  'a bitmap directory of 2^53 bytes': {
    image: () =>
      sparseDisk(
        qcow2Image({ header: { autoclearFeatures: 1n }, extensions: [bitmapsExtension(1, 2 ** 52, AT)] }),
        TiB,
      ),
  },
  '262,000 header extensions': {
    image: () => {
      const extension = { type: 0x1234, data: new Uint8Array(0) };
      return memory(qcow2Image({ clusterBits: 21, extensions: new Array(262_000).fill(extension) }));
    },
  },
  'a feature name table of 2 MiB': {
    image: () =>
      memory(
        qcow2Image({
          clusterBits: 21,
          header: { incompatibleFeatures: 2n ** 64n - 32n },
          extensions: [{ type: 0x6803f857, data: new Uint8Array(2 * MiB - 1024).fill(255) }],
        }),
      ),
    code: 'ERR_UNSUPPORTED',
  },
  'a header of 4 GiB': {
    image: () => memory(qcow2Image({ header: { headerLength: 2 ** 32 - 1 } })),
    code: 'ERR_CORRUPT',
  },
  'a backing name of 4 GiB': {
    image: () =>
      sparseDisk(qcow2Image({ header: { backingFileOffset: 200, backingFileSize: 2 ** 32 - 1 } }), TiB),
    code: 'ERR_LIMIT',
  },
  'a backing name of 1024 bytes': {
    image: () => memory(qcow2Image({ backing: 'n'.repeat(1024) })),
    code: 'ERR_LIMIT',
  },
  'version 1 with a disk of 8 PiB': {
    image: () => sparseDisk(qcow1Image({ size: MiB, header: { size: 2n ** 53n - 1n } }), TiB),
    code: 'ERR_LIMIT',
  },
  'version 1 with a backing name of 4 GiB': {
    image: () => memory(qcow1Image({ header: { backingFileOffset: 200, backingFileSize: 2 ** 32 - 1 } })),
    code: 'ERR_LIMIT',
  },
};

describe('opening costs at most a second and 64 MiB', () => {
  test.each(Object.entries(HOSTILE))('%s', async (_, { image, code }) => {
    const file = image();
    await file.init();
    const { result, milliseconds, bytesKept } = await costOf(() =>
      openDisk(file).catch((error: unknown) => error),
    );
    expect(milliseconds).toBeLessThan(1000);
    expect(bytesKept).toBeLessThan(64 * MiB);
    if (code === undefined) expect(result).toMatchObject({ diskType: 'QCOW' });
    else {
      expect(result).toBeInstanceOf(DiskError);
      expect(result).toMatchObject({ code });
    }
  });
});

describe('the depth of a chain', () => {
  /** Services in which image `i + 1` is the base of image `i`, up to a last one. */
  function chain(disks: number): Partial<ServiceOptions> {
    const names = Array.from({ length: disks }, (_, index) => `disk ${index}`);
    const files = Object.fromEntries(
      names.map((name, index) => {
        const backing = names[index + 1];
        return [name, qcow2Image(backing === undefined ? {} : { backing })];
      }),
    );
    return { gate: memoryGate(files) };
  }

  test('64 disks open within a second', async () => {
    const services = chain(64);
    const { result, milliseconds } = await costOf(() =>
      openDisk(memory(qcow2Image({ backing: 'disk 1' })), { services }),
    );
    expect(milliseconds).toBeLessThan(1000);
    expect(await result.read(0, 4)).toEqual(new Uint8Array(4));
    await result.close();
  });

  test('one disk more than maxChainDepth allows is refused', async () => {
    const services = chain(DEFAULT_LIMITS.maxChainDepth + 1);
    const opening = openDisk(memory(qcow2Image({ backing: 'disk 1' })), { services });
    await expect(opening).rejects.toMatchObject({ code: 'ERR_LIMIT' });
  });

  test('a caller can allow more, or fewer', async () => {
    const open = (disks: number, maxChainDepth: number) =>
      openDisk(memory(qcow2Image({ backing: 'disk 1' })), {
        services: { ...chain(disks), limits: { maxChainDepth } },
      });
    await (await open(65, 65)).close();
    await expect(open(3, 2)).rejects.toMatchObject({ code: 'ERR_LIMIT' });
  });
});
