import { DiskError, type DiskModule, hex, type Io, type Limits } from '@diskstack/core';
import { decodeText, readFully } from '@diskstack/core/format';
import { lvmCrc } from '../layout/checksum.ts';
import { decodeMdaHeader, MDA_HEADER_SIZE } from '../layout/mda-header.ts';
import type { Area } from '../layout/pv-header.ts';

/** One metadata text whose CRC is right. */
export interface MetadataCopy {
  readonly text: string;
  /** The area is marked as ignored: its text may be out of date. */
  readonly ignored: boolean;
}

/** lvm2 creates at most two. */
const MAX_AREAS = 16;
/** Enough for more than 20,000 logical volumes. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** Reads the committed text of each metadata area. `problems` says why an area has no usable text. */
export async function readMetadataCopies(
  disk: DiskModule,
  areas: readonly Area[],
  limits: Limits,
  io: Io,
): Promise<{ readonly copies: readonly MetadataCopy[]; readonly problems: readonly string[] }> {
  const copies: MetadataCopy[] = [];
  const problems: string[] = [];
  for (const area of areas.slice(0, MAX_AREAS)) {
    try {
      const copy = await readCopy(disk, area, Math.min(MAX_TEXT_BYTES, limits.maxTableBytes), io);
      if (copy !== undefined) copies.push(copy);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED' || error.code === 'ERR_IO')
        throw error;
      problems.push(`the metadata area at byte ${area.offset} cannot be used: ${error.reason}`);
    }
  }
  return { copies, problems };
}

async function readCopy(
  disk: DiskModule,
  area: Area,
  maxBytes: number,
  io: Io,
): Promise<MetadataCopy | undefined> {
  const { offset } = area;
  if (offset + MDA_HEADER_SIZE > disk.size())
    throw new DiskError('ERR_TRUNCATED', `it starts at byte ${offset}, but the disk ends at ${disk.size()}`);
  const header = new Uint8Array(MDA_HEADER_SIZE);
  await readFully(disk, offset, header, io);
  const place = decodeMdaHeader(header, area, disk.size());
  if (place === undefined) return undefined;
  if (place.size > maxBytes)
    throw new DiskError('ERR_LIMIT', `its text has ${place.size} bytes; at most ${maxBytes} are read`, {
      offset,
    });
  const bytes = new Uint8Array(place.size);
  let position = 0;
  for (const run of place.runs) {
    await readFully(disk, run.offset, bytes.subarray(position, position + run.size), io);
    position += run.size;
  }
  const found = lvmCrc(bytes);
  if (found !== place.checksum) {
    const reason = `its text has the CRC ${hex(found)}, but the header records ${hex(place.checksum)}`;
    throw new DiskError('ERR_CORRUPT', reason, { offset });
  }
  return { text: decodeText(bytes), ignored: place.ignored };
}
