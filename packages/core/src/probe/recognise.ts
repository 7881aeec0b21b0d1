import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { ProbeWindow } from '../contracts/probe-window.ts';
import { readFully } from '../io/range.ts';
import { type ContentKind, type Magic, SIGNATURES } from './signatures.ts';

/** Content that a disk seems to hold, by its magic numbers. Nothing was opened to find it. */
export interface Recognised {
  /** `'vmdk'`, `'LUKS2'`, `'ext4'`. */
  readonly name: string;
  /** For people, with its article: `'a VMDK image'`. */
  readonly title: string;
  readonly kind: ContentKind;
  /** Byte offset of the magic number on the disk. */
  readonly at: number;
}

/**
 * Bytes read at the start of a disk. They cover nearly all magic numbers; the farthest one is in the second superblock of UFS2.
 */
const HEAD = 68 * 1024;
/** Bytes read at the end of a disk. They cover the magic numbers of footers. */
const TAIL = 12 * 1024;

/** Bytes that were read from a disk, and their offset. */
interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * Everything that a disk seems to hold, in the order of `SIGNATURES`. One disk may match several signatures. Reads both ends of
 * the disk once, and a few bytes at two places between them.
 */
export async function recognise(disk: DiskModule, io: Io = {}): Promise<readonly Recognised[]> {
  const size = disk.size();
  const pieces: Piece[] = [];
  const read = async (at: number, length: number): Promise<void> => {
    const bytes = new Uint8Array(length);
    await readFully(disk, at, bytes, io);
    pieces.push({ at, bytes });
  };
  await read(0, Math.min(HEAD, size));
  if (size > HEAD) await read(Math.max(HEAD, size - TAIL), Math.min(TAIL, size - HEAD));
  for (const { magic } of SIGNATURES) {
    for (const { at, bytes } of magic) {
      const place = placeOf(at, size);
      const isOnDisk = place >= 0 && place + bytes.length <= size;
      if (isOnDisk && bytesAt(pieces, place, bytes.length) === undefined) await read(place, bytes.length);
    }
  }
  return found(pieces, size);
}

/** The same for some kinds of content, as far as the probe window covers their magic numbers. */
export function recogniseIn(
  { head, tail, size }: ProbeWindow,
  kinds: readonly ContentKind[],
): readonly Recognised[] {
  const pieces = [
    { at: 0, bytes: head },
    { at: size - tail.length, bytes: tail },
  ];
  return found(pieces, size, kinds);
}

function found(
  pieces: readonly Piece[],
  size: number,
  kinds?: readonly ContentKind[],
): readonly Recognised[] {
  const head = pieces[0]?.bytes ?? new Uint8Array(0);
  const all: Recognised[] = [];
  for (const { name, title, kind, magic, text, member } of SIGNATURES) {
    if (kinds !== undefined && !kinds.includes(kind)) continue;
    if (!magic.every((one) => isThere(one, pieces, size)) || text?.(head) === false) continue;
    all.push({ name: member?.(head) ?? name, title, kind, at: placeOf(magic[0]?.at ?? 0, size) });
  }
  return all;
}

function isThere({ at, bytes }: Magic, pieces: readonly Piece[], size: number): boolean {
  const there = bytesAt(pieces, placeOf(at, size), bytes.length);
  return there?.every((byte, index) => byte === bytes[index]) ?? false;
}

function placeOf(at: Magic['at'], size: number): number {
  if (typeof at !== 'number') return at(size);
  return at < 0 ? size + at : at;
}

function bytesAt(pieces: readonly Piece[], place: number, length: number): Uint8Array | undefined {
  for (const { at, bytes } of pieces) {
    if (place >= at && place + length <= at + bytes.length)
      return bytes.subarray(place - at, place - at + length);
  }
  return undefined;
}
