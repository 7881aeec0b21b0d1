import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { settle } from '../range.ts';
import { ExtentList } from './extent-list.ts';
import type { MappingWriter } from './mapping.ts';

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
    const writes: Promise<void>[] = [];
    let position = done;
    for (let index = 0; index < extents.count; index++) {
      const part = data.subarray(position, position + extents.length(index));
      writes.push(downstream.write(extents.at(index), part, io).then(() => {}));
      position += part.length;
    }
    await settle(writes);
    await writer.commit?.(offset + done, extents.covered, io);
    done += extents.covered;
  }
}
