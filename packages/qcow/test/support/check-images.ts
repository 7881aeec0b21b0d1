import type { ImagePatch } from './image-patch.ts';
import { qemuImg } from './qemu.ts';
import { type ImageKind, KiB, MiB, makeImage, qcow2Kind, writeImage } from './recipe.ts';

// Clusters of 4 KiB: an L2 table maps 2 MiB. Guest clusters 0 to 15 are data, 16 and 17 preallocated zeroes, 32 to 39
// compressed; so are 0 to 15 of the second table. The image has one refcount block.
const COMMANDS = [
  'write -q -s NOISE 0 64k',
  'write -q -s NOISE 64k 8k',
  'write -q -z 64k 8k',
  ...Array.from({ length: 8 }, (_, index) => `write -q -c -s TEXT ${128 + 4 * index}k 4k`),
  'write -q -s TEXT 2M 64k',
];
const SIZE = 8 * MiB;
const V3 = qcow2Kind('1.1', 4 * KiB);
const EXTENDED = qcow2Kind('1.1', 16 * KiB, 'extended_l2=on');
export const COPIED = 1n << 63n;

/** Makes an image in a folder and returns its path. */
export type Build = (folder: string) => Promise<string>;

/** An image of this kind, after these commands. */
export const written =
  (kind: ImageKind, commands = COMMANDS): Build =>
  (folder) =>
    makeImage(folder, { name: 'disk', kind, size: SIZE, commands });
export const plain = written(V3);
export const withSnapshot: Build = async (folder) => {
  const path = await plain(folder);
  await qemuImg('snapshot', '-c', 'one', path);
  await writeImage(path, { kind: V3 }, ['write -q -P 9 0 16k']);
  return path;
};
export const withBitmap: Build = async (folder) => {
  const path = await plain(folder);
  await qemuImg('bitmap', '--add', '-g', '512', path, 'one');
  await writeImage(path, { kind: V3 }, ['write -q -P 9 0 16k']);
  return path;
};
export const withDataFile: Build = (folder) =>
  written(qcow2Kind('1.1', 4 * KiB, `data_file=${folder}/data`), COMMANDS.slice(0, 3))(folder);
export const oneBit = written(qcow2Kind('1.1', 4 * KiB, 'refcount_bits=1'), COMMANDS.slice(0, 3));
export const extended = written(EXTENDED, [
  'write -q -s NOISE 0 64k',
  'write -q -c -s TEXT 144k 16k',
  'write -q -s NOISE 160k 2k',
]);

/** Host cluster of an entry. */
export const cluster = (image: ImagePatch, entryAt: number): number =>
  image.place(entryAt) / image.clusterSize;
/** Sets these bits of an entry. */
export const or = (bits: bigint) => (value: bigint) => value | bits;
/** Keeps only these bits of an entry. */
export const and = (bits: bigint) => (value: bigint) => value & bits;
/** Replaces an entry. */
export const set = (value: number | bigint) => () => BigInt(value);
/** A place far past the end of the file. */
export const OUTSIDE = 2n ** 40n;
/** The type of the bitmaps extension. */
export const BITMAPS = 0x23852875;
/** Byte of the table that the first bitmap of the directory names. */
export const bitmapTable = (image: ImagePatch): number =>
  image.place(image.place(image.extensionAt(BITMAPS) + 16));
