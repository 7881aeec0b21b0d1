import { expect, test } from 'vitest';
import type { DiskExtent } from '../../src/contracts/extent.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { DiskError } from '../../src/errors/disk-error.ts';
import type { MappedDisk } from '../../src/mapping/mapped-disk.ts';
import { continues } from '../../src/mapping/resolve-extents.ts';
import { diskErrorOf } from '../../src/testing/index.ts';
import { CLUSTER, mapped, type ToyCluster, type ToyImage, toyDisk, toyImage } from '../support/toy-format.ts';

const KINDS: readonly ToyCluster[] = ['base', 'base', 'data', 'base', 'zero', 'reserved', 'compressed'];
/** Divides the sizes of all disks below. */
const CELL = 512;

/** Disks of different lengths on top of each other; each second table of every other one has to be waited for. */
function chainOf(depth: number): { readonly images: readonly ToyImage[]; readonly disk: MappedDisk } {
  const images = Array.from({ length: depth }, (_, layer) => {
    const clusters = 40 + ((layer * 11) % 17);
    const plan = Array.from(
      { length: clusters },
      (_, index) => KINDS[(index * (layer + 3) + layer * layer) % KINDS.length] as ToyCluster,
    );
    return toyImage(plan, { size: clusters * CLUSTER - (layer % 3) * CELL });
  });
  const disk = images.reduceRight<MappedDisk | undefined>((base, image, layer) => {
    const later = (table: number): boolean => layer % 2 === 1 && table % 2 === 1;
    return toyDisk(image, new MemoryDisk(image.file), { later, ...(base === undefined ? {} : { base }) });
  }, undefined) as MappedDisk;
  return { images, disk };
}

type Answer = Omit<DiskExtent, 'offset' | 'length'>;

/** What the chain says of one byte, layer by layer. */
function answerAt(images: readonly ToyImage[], offset: number, depth = 0): Answer {
  const { entries } = images[depth] as ToyImage;
  const entry = entries[Math.floor(offset / CLUSTER)];
  if (entry === undefined) throw new Error(`no cluster at ${offset}`);
  const at = entry.at + (offset % CLUSTER);
  if (entry.kind === 'data') return { kind: 'data', depth, present: true, at };
  if (entry.kind === 'zero') return { kind: 'zero', depth, present: true };
  if (entry.kind === 'reserved') return { kind: 'zero', depth, present: true, at };
  if (entry.kind === 'compressed') return { kind: 'compressed', depth, present: true };
  const base = images[depth + 1];
  if (base === undefined || offset >= base.size) return { kind: 'zero', depth, present: false };
  return answerAt(images, offset, depth + 1);
}

async function extentsOf(disk: MappedDisk, offset?: number, length?: number): Promise<DiskExtent[]> {
  const extents: DiskExtent[] = [];
  for await (const extent of disk.extents(offset, length)) extents.push(extent);
  return extents;
}

for (const depth of [1, 2, 9]) {
  test(`a chain of ${depth}: every cell is reported as its layers report it, and neighbours are merged`, async () => {
    const { images, disk } = chainOf(depth);
    await disk.init();
    const size = disk.size();
    for (const [offset, length] of [
      [0, size],
      [CELL, size],
      [5 * CLUSTER + CELL, 20 * CLUSTER],
      [size - CELL, CELL],
    ] as const) {
      const extents = await extentsOf(disk, offset, length);
      let end = offset;
      for (const extent of extents) {
        expect(extent.offset).toBe(end);
        end += extent.length;
        const { offset: start, length: bytes, ...told } = extent;
        for (let cell = 0; cell < bytes; cell += CELL) {
          const at = told.at === undefined ? {} : { at: told.at + cell };
          expect({ ...told, ...at }).toEqual(answerAt(images, start + cell));
        }
      }
      expect(end).toBe(Math.min(size, offset + length));
      const merged = extents.some(
        (extent, index) => index > 0 && continues(extents[index - 1] as DiskExtent, extent),
      );
      expect(merged).toBe(false);
    }
  });
}

test('the walk looks up no more than the requested range, with any number of extents', async () => {
  let translated = 0;
  const size = 1_000_000 * CLUSTER;
  const disk = mapped(new MemoryDisk(new Uint8Array(0)), async () => ({
    size,
    info: { format: 'toy', virtualSize: size },
    translate(offset, _length, extents) {
      translated++;
      extents.data(CLUSTER, (offset * 2) % size); // none continues the one before
      return undefined;
    },
  }));
  await disk.init();
  let told = 0;
  for await (const _extent of disk.extents()) if (++told === 1000) break;
  expect(translated).toBeGreaterThanOrEqual(1000);
  expect(translated).toBeLessThan(2000);
});

test('an error far down follows the extents before it, and names its own layer', async () => {
  const size = 4 * CLUSTER;
  const broken = mapped(new MemoryDisk(new Uint8Array(size)), async () => ({
    size,
    info: { format: 'toy', virtualSize: size },
    translate(offset, length, extents) {
      if (offset >= 2 * CLUSTER) throw new DiskError('ERR_CORRUPT', 'a broken table');
      extents.data(Math.min(length, CLUSTER), offset * 3);
      return undefined;
    },
  }));
  const overlay = toyImage(['data', 'base', 'base', 'data']);
  const disk = toyDisk(overlay, new MemoryDisk(overlay.file), { base: broken });
  await disk.init();
  const told: DiskExtent[] = [];
  const error = await diskErrorOf(async () => {
    for await (const extent of disk.extents()) told.push(extent);
  });
  expect(told.map(({ offset, depth }) => [offset, depth])).toEqual([[0, 0]]); // the second one might go on
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'toy' });
});

test('a disk that is closed between two extents reports no more', async () => {
  const { disk } = chainOf(3);
  await disk.init();
  const error = await diskErrorOf(async () => {
    for await (const _extent of disk.extents()) await disk.close();
  });
  expect(error).toMatchObject({ code: 'ERR_STATE', format: 'toy' });
});
