import { DiskError, type Io } from '@diskstack/core';
import { readFully, SECTOR } from '@diskstack/core/format';
import type { LayoutContext, LayoutMember } from '@diskstack/core/volumes';
import { decodeLabel, isLabel, LABEL_SCAN_SECTORS, type Label } from '../layout/label.ts';
import { decodePvHeader, type PvHeader } from '../layout/pv-header.ts';
import { type MetadataCopy, readMetadataCopies } from './metadata-copies.ts';

/** A disk with an LVM2 label, and the metadata texts on it. */
export interface PhysicalVolume {
  /** Index of the disk among the members that `find` was called with. */
  readonly member: number;
  readonly disk: LayoutMember['disk'];
  /** The caller's name of the disk. Quote it. */
  readonly path: string;
  readonly header: PvHeader;
  readonly copies: readonly MetadataCopy[];
  /** Why a metadata area has no usable text. */
  readonly problems: readonly string[];
}

/** A disk with an LVM2 label, or the start of one, that is damaged. */
export interface DamagedPv {
  readonly member: number;
  readonly problem: string;
}

/** Reads the physical volume on a disk; `undefined` if the disk has no LVM2 label. */
export async function readPhysicalVolume(
  { disk, path }: LayoutMember,
  member: number,
  context: LayoutContext,
  io: Io,
): Promise<PhysicalVolume | DamagedPv | undefined> {
  const sectors = new Uint8Array(Math.min(LABEL_SCAN_SECTORS * SECTOR, disk.size() - (disk.size() % SECTOR)));
  if (sectors.length === 0) return undefined;
  await readFully(disk, 0, sectors, io);
  const label = findLabel(sectors);
  if (label === undefined) return undefined;
  if (typeof label === 'string') return { member, problem: label };
  try {
    const sectorEnd = (label.sector + 1) * SECTOR;
    const header = decodePvHeader(sectors.subarray(label.headerAt, sectorEnd), label.headerAt);
    const { copies, problems } = await readMetadataCopies(disk, header.metadataAreas, context.limits, io);
    return { member, disk, path, header, copies, problems };
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
    return { member, problem: `the PV header cannot be read: ${error.reason}` };
  }
}

/** The first valid label; otherwise what is wrong with the first invalid one. */
function findLabel(sectors: Uint8Array): Label | string | undefined {
  let problem: string | undefined;
  for (let number = 0; number * SECTOR < sectors.length; number++) {
    const sector = sectors.subarray(number * SECTOR, (number + 1) * SECTOR);
    if (!isLabel(sector)) continue;
    try {
      const label = decodeLabel(sector, number);
      if (typeof label !== 'string') return label;
      problem ??= label;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      problem ??= error.reason;
    }
  }
  return problem;
}
