import { breathe } from '../../async/breathe.ts';
import { roundUp } from '../../binary/safe-number.ts';
import type { ZeroesIo } from '../../contracts/changes.ts';
import type { Io } from '../../contracts/disk-module.ts';
import type { FileSpace } from '../../contracts/host.ts';
import { throwIfAborted } from '../../errors/disk-error.ts';
import { CallLength } from './call-length.ts';
import { fileError } from './file-errors.ts';

/** Bytes of one write of zeroes. */
const WRITE_BYTES = 512 * 1024;

/** An open file or device whose space is changed. */
export interface FileWithSpace {
  readonly space: FileSpace;
  readonly fd: number;
  /** Offsets and lengths are in units of this many bytes: a sector of a device, 1 for a file. */
  readonly sector: number;
  readonly location: string;
  readonly put: (at: number, data: Uint8Array) => Promise<void>;
}

/** Frees the space of a range. What the file system cannot free keeps its content. */
export async function discardRange(
  file: FileWithSpace,
  offset: number,
  length: number,
  io: Io,
): Promise<void> {
  const [first, last] = wholeSectors(file, offset, offset + length);
  await change(file, 'punch', first, last, io);
}

/** Makes a range read as zeroes. What the file system cannot do is written. */
export async function zeroRange(
  file: FileWithSpace,
  offset: number,
  length: number,
  io: ZeroesIo,
): Promise<void> {
  const end = offset + length;
  const [first, last] = wholeSectors(file, offset, end);
  let at = first;
  for (const kind of io.unmap ? (['punch', 'zero'] as const) : (['zero'] as const))
    at = await change(file, kind, at, last, io);
  await putZeroes(file, offset, first, io);
  await putZeroes(file, at, end, io);
}

function wholeSectors({ sector }: FileWithSpace, from: number, to: number): readonly [number, number] {
  const first = Math.min(to, roundUp(from, sector));
  return [first, Math.max(first, to - (to % sector))];
}

/** Changes a range by calls that are short enough for the event loop. Returns the end of what the file system has changed. */
async function change(
  { space, fd, location }: FileWithSpace,
  kind: keyof FileSpace,
  from: number,
  to: number,
  io: Io,
): Promise<number> {
  const callLength = new CallLength();
  let at = from;
  while (at < to) {
    throwIfAborted(io.signal);
    const pause = breathe();
    if (pause !== undefined) await pause;
    const length = Math.min(callLength.bytes, to - at);
    try {
      if (!callLength.measure(() => space[kind](fd, at, length))) return at;
    } catch (error) {
      throw fileError(error, location, at);
    }
    at += length;
  }
  return to;
}

async function putZeroes({ put }: FileWithSpace, from: number, to: number, io: Io): Promise<void> {
  const zeroes = new Uint8Array(Math.min(WRITE_BYTES, to - from));
  for (let at = from; at < to; at += zeroes.length) {
    throwIfAborted(io.signal);
    const pause = breathe();
    if (pause !== undefined) await pause;
    await put(at, zeroes.subarray(0, to - at));
  }
}
