import { expect, test } from 'vitest';
import { portableCodecs } from '../../src/codec/portable-codecs.ts';
import type { Decompress } from '../../src/contracts/codec.ts';
import type { DiskFormat } from '../../src/contracts/disk-format.ts';
import type { DiskModule } from '../../src/contracts/disk-module.ts';
import { DEFAULT_LIMITS } from '../../src/contracts/services.ts';
import { defineDisk } from '../../src/disks/define-disk.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { createDisks } from '../../src/disks.ts';
import { MappedDisk } from '../../src/mapping/mapped-disk.ts';
import type { PlacedPart } from '../../src/mapping/mapping-writer.ts';
import { magicAt } from '../../src/probe/magic.ts';
import { diskErrorOf, pattern } from '../../src/testing/index.ts';
import { memoryDriver } from '../support/memory-driver.ts';
import { plain } from '../support/overlay-format.ts';

// A format over three files with two codecs: a descriptor that names an extent file, and one of compressed blocks.

const BLOCK = 4096;
const NAMES = ['plain.bin', 'packed.bin'];

/** A codec of one's own: the byte to repeat. */
const repeat: Decompress = (stored, into) => void into.fill(stored[0] ?? 0);

const split: DiskFormat = {
  name: 'split',
  title: 'a toy of three files',
  probe: magicAt(0, 0x53, 0x50, 0x4c, 0x54),
  open: (downstream, context) =>
    new MappedDisk({
      type: 'SPLIT',
      format: 'split',
      downstream,
      ...context,
      async load(io) {
        const files: DiskModule[] = [];
        for (const [index, name] of NAMES.entries())
          files.push(
            await context.openStorage(
              { candidates: [{ name: new TextEncoder().encode(name) }], offset: 4 + index * 16 },
              io,
            ),
          );
        return {
          size: 4 * BLOCK,
          info: { format: 'split', virtualSize: 4 * BLOCK, clusterSize: BLOCK },
          sources: [downstream, ...files],
          codecs: [portableCodecs.deflate.decompress, repeat],
          translate(offset, length, extents) {
            const block = Math.floor(offset / BLOCK);
            const skip = offset % BLOCK;
            const part = Math.min(length, BLOCK - skip);
            if (block === 0) extents.data(part, 512 + skip, 0);
            else if (block === 1) extents.data(part, skip, 1);
            else if (block === 2) extents.compressed(part, 0, 64, skip, BLOCK, 2, 1);
            else extents.compressed(part, 64, 64, skip, BLOCK, 2, 0);
            return undefined;
          },
        };
      },
    }),
};

async function deflated(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes.slice()]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function world(): Promise<Record<string, Uint8Array>> {
  const descriptor = new Uint8Array(512 + BLOCK);
  descriptor.set(new TextEncoder().encode('SPLT'));
  descriptor.set(pattern(BLOCK, 1), 512);
  const packed = new Uint8Array(128);
  packed[0] = 0x77;
  packed.set(await deflated(new Uint8Array(BLOCK).fill(0x55)), 64);
  return { '/vm/disk': descriptor, '/vm/plain.bin': pattern(BLOCK, 2), '/vm/packed.bin': packed };
}

test('each extent is read from its own file, by its own codec, and names its file', async () => {
  const driver = memoryDriver(await world());
  await using disk = await createDisks({ formats: [split, plain], drivers: [driver] }).open('/vm/disk');
  const expected = new Uint8Array(4 * BLOCK).fill(0x77, 2 * BLOCK).fill(0x55, 3 * BLOCK);
  expected.set(pattern(BLOCK, 1));
  expected.set(pattern(BLOCK, 2), BLOCK);
  expect(Buffer.compare(await disk.read(0, 4 * BLOCK), expected)).toBe(0);
  expect(await disk.read(2 * BLOCK - 3, BLOCK + 9)).toEqual(expected.slice(2 * BLOCK - 3, 3 * BLOCK + 6));
  const found = [];
  for await (const { at, source } of (disk as MappedDisk).extents(0, 2 * BLOCK))
    found.push([at, (source as { location?: string } | undefined)?.location]);
  expect(found).toEqual([
    [512, undefined],
    [0, '/vm/plain.bin'],
  ]);
});

test('a file of the three that is missing is named', async () => {
  const { '/vm/packed.bin': _lost, ...rest } = await world();
  const disks = createDisks({ formats: [split, plain], drivers: [memoryDriver(rest)] });
  const error = await diskErrorOf(() => disks.open('/vm/disk'));
  expect(error).toMatchObject({ code: 'ERR_NOT_FOUND', offset: 20 });
  expect(error.message).toContain('packed.bin');
});

async function memory(seed: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk(pattern(16 * BLOCK, seed));
  await disk.init();
  return disk;
}

test('what a mapping has opened itself beside its members goes with it', async () => {
  const [one, own] = [await memory(1), await memory(3)];
  const disk = new MappedDisk({
    type: 'MIX',
    format: 'mix',
    members: [one],
    mountMode: 'r',
    limits: DEFAULT_LIMITS,
    load: async () => ({
      size: 2 * BLOCK,
      info: { format: 'mix', virtualSize: 2 * BLOCK },
      sources: [one, own],
      translate(offset, length, extents) {
        if (offset < BLOCK) extents.data(Math.min(length, BLOCK - offset), offset, 0);
        else extents.unplaced(length, offset - BLOCK, 1);
        return undefined;
      },
    }),
  });
  await disk.init();
  expect(await disk.read(BLOCK - 2, 4)).toEqual(
    Uint8Array.of(...one.bytes.subarray(BLOCK - 2, BLOCK), ...own.bytes.subarray(0, 2)),
  );
  await disk.close();
  expect(one.size()).toBe(16 * BLOCK);
  expect(() => own.size()).toThrow('closed');
});

test('zeroes of a disk with sources of its own go to the source, not to the downstream disk', async () => {
  const zeroed: number[] = [];
  const image = new Uint8Array(BLOCK).fill(9);
  const downstream = defineDisk({
    size: () => BLOCK,
    readInto: (at, into) => void into.set(image.subarray(at, at + into.length)),
    write: () => undefined,
    writeZeroes: async (offset) => void zeroed.push(offset),
  });
  const data = await memory(4);
  const part = (offset: number, length: number): PlacedPart => ({
    ...{ offset, length, at: offset, source: 1 },
    ...{ before: 0, after: 0 },
  });
  await using disk = new MappedDisk({
    type: 'MIX',
    format: 'mix',
    downstream,
    mountMode: 'rw',
    limits: DEFAULT_LIMITS,
    load: async () => ({
      size: BLOCK,
      info: { format: 'mix', virtualSize: BLOCK },
      sources: [downstream, data],
      transparent: true,
      translate: (offset, length, extents) => void extents.data(length, offset, 1),
      writer: {
        unit: 1,
        inPlace: (offset, length) => ({ length, parts: [part(offset, length)] }),
        place: async (offset, length) => ({ length, parts: [part(offset, length)] }),
      },
    }),
  });
  await disk.init();
  await disk.writeZeroes?.(100, 10);
  const expectedData = pattern(16 * BLOCK, 4).fill(0, 100, 110);
  expect(Buffer.compare(data.bytes, expectedData)).toBe(0);
  expect(zeroed).toEqual([]);
});
