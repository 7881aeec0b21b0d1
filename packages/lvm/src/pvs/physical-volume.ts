import { DiskError, type Io, type LayoutContext, type LayoutMember, readFully } from '@diskstack/core';
import { decodeLabel, isLabel, LABEL_SCAN_SECTORS, type Label } from '../layout/label.ts';
import { decodePvHeader, type PvHeader } from '../layout/pv-header.ts';
import { SECTOR } from '../units.ts';
import { type MetadataCopy, readMetadataCopies } from './metadata-copies.ts';

/** A disk with a label of LVM2, and what it says of its volume group. */
export interface PhysicalVolume {
  /** Number of the disk among those that were asked about. */
  readonly member: number;
  readonly disk: LayoutMember['disk'];
  /** What the caller calls the disk. Quote it. */
  readonly path: string;
  readonly header: PvHeader;
  /** Whole texts of its metadata areas. */
  readonly copies: readonly MetadataCopy[];
  /** Why a metadata area has no text that can be used. */
  readonly problems: readonly string[];
}

/** A disk that has begun to be a physical volume, and is none. */
export interface DamagedVolume {
  readonly member: number;
  readonly problem: string;
}

/** The physical volume on a disk; `undefined` where nothing of LVM2 is there. */
export async function readPhysicalVolume(
  { disk, path }: LayoutMember,
  member: number,
  context: LayoutContext,
  io: Io,
): Promise<PhysicalVolume | DamagedVolume | undefined> {
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

/** The first label that is right; else why the first of those that are there is not. */
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
