import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import { settle } from '../range.ts';
import { ExtentList } from './extent-list.ts';
import { MAX_PARALLEL, type MappingWriter } from './mapping.ts';

/** Writes `data` at a guest offset: place, write downstream, commit, piece by piece. */
export async function writeExtents(
  downstream: DiskModule,
  writer: MappingWriter,
  offset: number,
  data: Uint8Array,
  io: Io,
): Promise<void> {
  const extents = new ExtentList();
  let done = 0;
  while (done < data.length) {
    extents.clear();
    await writer.place(offset + done, data.length - done, extents, io);
    await writeParts(downstream, extents, data.subarray(done, done + extents.covered), io);
    await writer.commit?.(offset + done, extents.covered, io);
    done += extents.covered;
  }
}

async function writeParts(
  downstream: DiskModule,
  extents: ExtentList,
  data: Uint8Array,
  io: Io,
): Promise<void> {
  let writes: Promise<void>[] = [];
  let position = 0;
  for (let index = 0; index < extents.count; index++) {
    const part = data.subarray(position, position + extents.length(index));
    writes.push(writePart(downstream, extents.at(index), part, io));
    position += part.length;
    if (writes.length < MAX_PARALLEL) continue;
    await settle(writes);
    writes = [];
  }
  await settle(writes);
}

async function writePart(downstream: DiskModule, at: number, part: Uint8Array, io: Io): Promise<void> {
  const written = await downstream.write(at, part, io);
  if (written === part.length) return;
  throw new DiskError('ERR_IO', `${part.length} bytes given to the disk below, it took ${written}`, {
    offset: at,
  });
}
