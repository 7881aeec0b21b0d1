import { dirname } from 'node:path';
import { can, createDisks, type DiskModule, type ServiceOptions } from '@diskstack/core';
import { fileDriver, makeZlibCodecs, zlibCodecs } from '@diskstack/core/node';
import { firstDifference } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { asQemuMap, withoutEmpty } from './as-qemu-map.ts';
import { random } from './content.ts';
import { fillHoles } from './fill-holes.ts';
import { FORMATS } from './open.ts';
import { convertWithQemu, mapWithQemu, type QemuExtent } from './qemu.ts';

/** An image of the matrix. */
export interface MatrixImage {
  readonly name: string;
  readonly format: 'qcow' | 'qcow2';
  /** Makes it and returns its path. Called once. */
  readonly build: () => Promise<string>;
  /** Read it with the portable codecs too. */
  readonly portable?: boolean | undefined;
  /** Removes known differences from both maps before they are compared. */
  readonly comparable?: ((map: readonly QemuExtent[]) => readonly QemuExtent[]) | undefined;
}

const nodeCodecs: Partial<ServiceOptions> = { codecs: zlibCodecs };

/** Each way of reading files, with a pool of threads for decompression and without one. */
const WAYS: readonly Partial<ServiceOptions>[] = [
  nodeCodecs,
  { drivers: [fileDriver({ io: 'sync' })], codecs: makeZlibCodecs({ threads: 2 }) },
  { drivers: [fileDriver({ io: 'pool' })], codecs: makeZlibCodecs({ threads: 0, use: 'calls' }) },
];

/** Opens an image in a file, with all its backing files in the folder of the image. */
export function openFile(path: string, format?: string, services = nodeCodecs): Promise<DiskModule> {
  return createDisks({ formats: FORMATS, drivers: [fileDriver()], ...services }).open(path, { format });
}

/**
 * Two tests for each image: its bytes are those of `qemu-img convert`, and its map is that of `qemu-img map`.
 *
 * The map is that of the image, without holes that the file system makes: they are filled first.
 */
export function compareWithQemu(image: MatrixImage): void {
  const { name, format, build, portable = false, comparable = (map) => map } = image;
  let building: Promise<string> | undefined;
  const built = (): Promise<string> => (building ??= build());

  test.concurrent(`${name}: the bytes are qemu's`, async () => {
    const path = await built();
    const expected = await convertWithQemu(path, format);
    for (const services of portable ? [...WAYS, {}] : WAYS) {
      await using disk = await openFile(path, format, services);
      await expectSameBytes(disk, expected);
    }
  });

  test.concurrent(`${name}: the map is qemu's`, async () => {
    const path = await built();
    await fillHoles(dirname(path));
    await using disk = await openFile(path, format);
    if (!can(disk, 'extents')) throw new Error('the disk has no extents');
    const [ours, theirs] = await Promise.all([
      asQemuMap(disk.extents(0, undefined, { findHoles: true })),
      mapWithQemu(path, format),
    ]);
    expect(comparable(ours)).toEqual(comparable(withoutEmpty(theirs)));
  });
}

/** Checks the bytes of a disk by reads of many lengths and offsets, sequential and concurrent. */
export async function expectSameBytes(disk: DiskModule, expected: Uint8Array): Promise<void> {
  expect(disk.size()).toBe(expected.length);
  await expectWhole(disk, expected);
  await expectParts(disk, expected);
}

/** The longest ones are read by two threads, or ahead. */
const LENGTHS = [1, 511, 4096, 65_537, 262_144, 1_500_007];

/** Reads all bytes once, in reads of many lengths. */
async function expectWhole(disk: DiskModule, expected: Uint8Array): Promise<void> {
  const next = random(expected.length);
  for (let offset = 0; offset < expected.length; ) {
    const ahead = next(2) === 0;
    const bytes = await disk.read(offset, LENGTHS[next(LENGTHS.length)] ?? 512, { ahead });
    expectSame(bytes, expected, offset);
    offset += bytes.length;
  }
  expect(await disk.read(expected.length, 1)).toHaveLength(0);
}

/** Reads parts at any offset, several at a time. */
async function expectParts(disk: DiskModule, expected: Uint8Array): Promise<void> {
  const next = random(expected.length + 1);
  const parts = Array.from({ length: 40 }, () => [next(expected.length), next(100_000) + 1] as const);
  const reads = await Promise.all(parts.map(([offset, length]) => disk.read(offset, length)));
  for (const [index, [offset, length]] of parts.entries()) {
    const bytes = reads[index] ?? new Uint8Array(0);
    expect(bytes).toHaveLength(Math.min(length, expected.length - offset));
    expectSame(bytes, expected, offset);
  }
}

function expectSame(bytes: Uint8Array, expected: Uint8Array, offset: number): void {
  const same = Buffer.compare(bytes, expected.subarray(offset, offset + bytes.length)) === 0;
  expect(same || firstDifference(bytes, expected.subarray(offset, offset + bytes.length), offset)).toBe(true);
}
