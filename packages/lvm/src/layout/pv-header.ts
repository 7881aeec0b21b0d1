import { bytes, decodeText, offset64, struct } from '@diskstack/core/format';

/** lvm2 `lib/format_text/layout.h`, `struct pv_header`, without the lists that follow it. */
const PV_HEADER = struct('little', { uuid: bytes(32), deviceSize: offset64 });
/** `struct disk_locn`. */
const DISK_LOCN = struct('little', { offset: offset64, size: offset64 });

/** A run of bytes of the physical volume. */
export interface Area {
  readonly offset: number;
  /** Size in bytes. For a data area, 0 means up to the end of the device. */
  readonly size: number;
}

export interface PvHeader {
  /** With dashes, as in the metadata text. */
  readonly uuid: string;
  /** Size of the device in bytes when the header was written. It may have changed since. */
  readonly deviceSize: number;
  readonly dataAreas: readonly Area[];
  readonly metadataAreas: readonly Area[];
}

/**
 * Decodes the header and its lists of data and metadata areas. Each list ends with an area at offset 0. `rest` is the part
 * of the label's sector from byte `at` of the disk to the end of the sector.
 */
export function decodePvHeader(rest: Uint8Array, at: number): PvHeader {
  const { uuid, deviceSize } = PV_HEADER.decode(rest, at);
  let position = PV_HEADER.size;
  const list = (): Area[] => {
    const areas: Area[] = [];
    for (;;) {
      const area = DISK_LOCN.decode(rest.subarray(position), at + position);
      position += DISK_LOCN.size;
      if (area.offset === 0) return areas;
      areas.push(area);
    }
  };
  const dataAreas = list();
  return { uuid: dashed(decodeText(uuid)), deviceSize, dataAreas, metadataAreas: list() };
}

function dashed(uuid: string): string {
  return uuid.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/s, '$1-$2-$3-$4-$5-$6-$7');
}
