import { DiskError, hex } from '@diskstack/core';
import { bytes, decodeText, offset64, struct, u32 } from '@diskstack/core/format';
import { lvmCrc } from './checksum.ts';
import type { Area } from './pv-header.ts';

/** lvm2 `lib/format_text/layout.h`, `struct mda_header`, up to its slots. */
const MDA_HEADER = struct('little', {
  checksum: u32,
  magic: bytes(16),
  version: u32,
  start: offset64,
  size: offset64,
});
/** `struct raw_locn`: the place of a text in the area. Slot 0 is the committed text, slot 1 the precommitted one. */
const RAW_LOCN = struct('little', { offset: offset64, size: offset64, checksum: u32, flags: u32 });

/** Size of the header in bytes: one sector. The text area follows it. */
export const MDA_HEADER_SIZE = 512;
const MAGIC = ' LVM2 x[5A%r0N*>';
const VERSION = 1;
const RAW_LOCN_IGNORED = 1;

/** The place of the committed text of a metadata area. */
export interface MetadataPlace {
  /** Size of the text in bytes, including its final NUL. */
  readonly size: number;
  readonly checksum: number;
  /** Runs of bytes of the disk, in order. There are two if the text wraps around the end of the area. */
  readonly runs: readonly Area[];
  /** The area is marked as ignored: its text may be out of date. */
  readonly ignored: boolean;
}

/** Finds the committed text; `undefined` if the area has none, as on a PV that is in no volume group. */
export function decodeMdaHeader(header: Uint8Array, area: Area, diskSize: number): MetadataPlace | undefined {
  const { offset: at } = area;
  const { checksum, magic, version, start, size } = MDA_HEADER.decode(header, at);
  if (decodeText(magic) !== MAGIC)
    throw corrupt('the metadata area header has a wrong magic', at + MDA_HEADER.at.magic);
  const found = lvmCrc(header.subarray(MDA_HEADER.at.magic, MDA_HEADER_SIZE));
  if (found !== checksum) {
    throw corrupt(`its header has the CRC ${hex(found)}, but it records ${hex(checksum)}`, at);
  }
  if (version !== VERSION) {
    const reason = `a metadata area of version ${version}, only ${VERSION} is known`;
    throw new DiskError('ERR_UNSUPPORTED', reason, { offset: at + MDA_HEADER.at.version });
  }
  if (start !== at)
    throw corrupt(
      `its header is at byte ${at}, but it records that the area starts at ${start}`,
      at + MDA_HEADER.at.start,
    );
  if (size <= MDA_HEADER_SIZE || start + size > diskSize) {
    throw corrupt(
      `the area has ${size} bytes at byte ${start}, but the disk ends at ${diskSize}`,
      at + MDA_HEADER.at.size,
    );
  }
  return decodeCommitted(header.subarray(MDA_HEADER.size), start, size);
}

function decodeCommitted(slots: Uint8Array, start: number, areaSize: number): MetadataPlace | undefined {
  const { offset, size, checksum, flags } = RAW_LOCN.decode(slots, start + MDA_HEADER.size);
  if (offset === 0 || size === 0) return undefined;
  const room = areaSize - MDA_HEADER_SIZE;
  if (offset < MDA_HEADER_SIZE || offset >= areaSize || size > room) {
    throw corrupt(
      `its text has ${size} bytes at byte ${offset} of the area, which has ${areaSize} bytes`,
      start + MDA_HEADER.size,
    );
  }
  const first = Math.min(size, areaSize - offset);
  const runs = [{ offset: start + offset, size: first }];
  if (first < size) runs.push({ offset: start + MDA_HEADER_SIZE, size: size - first });
  return { size, checksum, runs, ignored: (flags & RAW_LOCN_IGNORED) !== 0 };
}

function corrupt(reason: string, offset: number): DiskError {
  return new DiskError('ERR_CORRUPT', reason, { offset });
}
