import { fstatSync } from 'node:fs';
import { breathe } from '../../async/breathe.ts';
import type { Able, ExtentsIo } from '../../contracts/abilities.ts';
import type { DiskExtent } from '../../contracts/extent.ts';
import type { Holes } from '../../contracts/host.ts';
import { throwIfAborted } from '../../errors/disk-error.ts';
import { changedFile } from './file-errors.ts';

/** Bytes that count as data when they have become a hole between two questions. */
const STEP = 4096;

/** A file that is open. */
export interface OpenFile {
  readonly disk: Able<'location'>;
  /** The descriptor now: after the disk was closed, another file may have the number. Throws then. */
  descriptor(): number;
}

/** Whether the file system can say where data is. */
export function knowsHoles(holes: Holes, file: OpenFile, offset: number): boolean {
  return holes.nextData(file.descriptor(), offset) !== undefined;
}

/**
 * The holes of a file as its file system reports them. Space that is reserved but was never written is a hole too; zeroes that
 * were written are data.
 *
 * Another process may change the file meanwhile. Each `zero` was a hole when the file system was asked, and every other byte is
 * `data`, which is always right. A file that has become shorter is `ERR_CHANGED`, as it is for a read.
 */
export async function* askHoles(
  holes: Holes,
  file: OpenFile,
  offset: number,
  length: number,
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  const end = offset + length;
  let dataStart = offset; // of the data before `at`
  for (let at = offset; at < end; ) {
    throwIfAborted(io.signal);
    const pause = breathe();
    if (pause !== undefined) await pause;
    const data = nextData(holes, file, at, end);
    if (data > at) {
      if (at > dataStart) yield extent('data', dataStart, at - dataStart);
      yield extent('zero', at, data - at);
      dataStart = data;
    }
    at = data === end ? end : nextHole(holes, file, data, end);
  }
  if (end > dataStart) yield extent('data', dataStart, end - dataStart);
}

function nextData(holes: Holes, file: OpenFile, at: number, end: number): number {
  const fd = file.descriptor();
  const data = holes.nextData(fd, at) ?? at;
  if (data === Number.POSITIVE_INFINITY) refuseShorter(file, fd, at);
  return Math.max(at, Math.min(end, data));
}

/** The end of the data at `at`; later than `at`, also where the data has become a hole since. */
function nextHole(holes: Holes, file: OpenFile, at: number, end: number): number {
  const fd = file.descriptor();
  const hole = holes.nextHole(fd, at) ?? end;
  if (hole === Number.POSITIVE_INFINITY) refuseShorter(file, fd, at);
  return Math.min(end, hole > at ? hole : at - (at % STEP) + STEP);
}

/** A hole up to the end of the file is one up to the end of the disk only if the file still reaches so far. */
function refuseShorter({ disk }: OpenFile, fd: number, offset: number): void {
  const { size } = fstatSync(fd);
  if (size < disk.size()) throw changedFile(disk.location, offset, disk.size(), size);
}

function extent(kind: 'data' | 'zero', offset: number, length: number): DiskExtent {
  return { offset, length, kind, depth: 0, present: true, at: offset };
}
