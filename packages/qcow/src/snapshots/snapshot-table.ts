import {
  DiskError,
  type DiskModule,
  type Io,
  type Limits,
  quote,
  type SnapshotChoice,
} from '@diskstack/core';
import { limitError } from '@diskstack/core/format';
import type { QcowImage } from '../image/image.ts';
import { readPart } from '../image/structure.ts';
import { HEADER_V2, type Header } from '../layout/header.ts';
import {
  decodeSnapshot,
  MOST_EXTRA_BYTES,
  SNAPSHOT,
  type Snapshot,
  snapshotBytes,
} from '../layout/snapshot.ts';

/** The snapshot table: its place, and its entries. */
export interface SnapshotTable {
  readonly at: number;
  readonly length: number;
  /**
   * Bytes that certainly belong to the table. Less than `length` when an entry has so much extra data that its length
   * is doubtful.
   */
  readonly sureLength: number;
  readonly snapshots: readonly Snapshot[];
}

/** Reads the snapshot table. Returns the error when it cannot be read: the active state can be used without it. */
export async function readSnapshotsIfSound(image: QcowImage, io: Io): Promise<SnapshotTable | DiskError> {
  try {
    return await readSnapshots(image.file, image.header, image.limits, io);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
    return error;
  }
}

/**
 * Bytes of the table that the header names: those in its first cluster. How far it reaches beyond depends on the lengths of
 * names in its entries. A damaged one may lie on an L2 table, which holds guest data and is not given up for it.
 */
export function namedBytes({ sureLength }: SnapshotTable, clusterSize: number): number {
  return Math.min(sureLength, clusterSize);
}

/** Reads the snapshot table entry by entry: its length is not recorded anywhere. */
export async function readSnapshots(
  file: DiskModule,
  { nbSnapshots, snapshotsOffset, clusterBits }: Header,
  limits: Limits,
  io: Io,
): Promise<SnapshotTable> {
  if (nbSnapshots === 0) return { at: snapshotsOffset, length: 0, sureLength: 0, snapshots: [] };
  if (nbSnapshots > limits.maxSnapshots) {
    throw limitError('maxSnapshots', limits, `${nbSnapshots} snapshots`, HEADER_V2.at.nbSnapshots);
  }
  if (snapshotsOffset % 2 ** clusterBits !== 0) {
    throw new DiskError(
      'ERR_CORRUPT',
      `the snapshot table is at byte ${snapshotsOffset}, not a multiple of ${2 ** clusterBits}`,
      {
        offset: HEADER_V2.at.snapshotsOffset,
      },
    );
  }
  // An entry has at least its fixed part, so a table that the file cannot hold is refused before it is read.
  const left = Math.max(0, file.size() - snapshotsOffset);
  if (nbSnapshots * SNAPSHOT.size > left) {
    throw new DiskError(
      'ERR_TRUNCATED',
      `${nbSnapshots} snapshots need ${nbSnapshots * SNAPSHOT.size} bytes, ${left} are there`,
      {
        offset: HEADER_V2.at.snapshotsOffset,
      },
    );
  }
  return decodeTable(file, snapshotsOffset, nbSnapshots, limits, io);
}

/** Bytes of the table in one read: longer than an entry, except for one with much extra data. */
const WINDOW = 256 * 1024;

/** Reads window by window. Each begins with the first entry that the previous one did not hold completely. */
async function decodeTable(
  file: DiskModule,
  at: number,
  count: number,
  limits: Limits,
  io: Io,
): Promise<SnapshotTable> {
  const { maxSnapshotTableBytes } = limits;
  const snapshots: Snapshot[] = [];
  let length = 0;
  let windowBytes = WINDOW;
  // An entry with an impossible length is read with the usual amount of extra data.
  let doubtsExtra = false;
  while (snapshots.length < count) {
    const start = at + length;
    const window = await readPart(file, start, windowBytes, io);
    let position = 0;
    while (snapshots.length < count) {
      const decoded = decodeSnapshot(window, position, start, doubtsExtra && position === 0);
      if (decoded === undefined) break;
      snapshots.push(decoded.snapshot);
      position = decoded.next;
    }
    if (position > 0) {
      length += position;
      windowBytes = WINDOW;
      doubtsExtra = false;
      if (length > maxSnapshotTableBytes) throw tooLong(at, length, limits);
      continue;
    }
    const needed = snapshotBytes(window, 0, doubtsExtra) ?? SNAPSHOT.size;
    const isAllowed = length + needed <= maxSnapshotTableBytes;
    if (isAllowed && start + needed <= file.size()) windowBytes = needed;
    else if (!doubtsExtra && snapshotBytes(window, 0, true) !== needed) doubtsExtra = true;
    else if (!isAllowed) throw tooLong(at, length + needed, limits);
    else {
      const message = `entry ${snapshots.length + 1} of ${count} of the snapshot table ends at byte ${start + needed}, the file at ${file.size()}`;
      throw new DiskError('ERR_TRUNCATED', message, { offset: start });
    }
  }
  const doubtful = snapshots.find(({ extraDataSize }) => extraDataSize > MOST_EXTRA_BYTES);
  const sureLength = doubtful === undefined ? length : doubtful.at + SNAPSHOT.size - at;
  return { at, length, sureLength, snapshots };
}

function tooLong(at: number, length: number, limits: Limits): DiskError {
  return limitError('maxSnapshotTableBytes', limits, `a snapshot table of ${length} bytes or more`, at);
}

/**
 * Finds the chosen snapshot. `ERR_ARGUMENT` when several match, for example a text that is one's id and another's name.
 */
export function findSnapshot(snapshots: readonly Snapshot[], choice: SnapshotChoice): Snapshot {
  const [found, another] = snapshots.filter((snapshot) => isChosen(snapshot, choice));
  if (found !== undefined && another === undefined) return found;
  const known = snapshots.map(({ id, name }) => `${quote(id)} ${quote(name)}`).join(', ');
  if (found === undefined) {
    const wanted = typeof choice === 'string' ? quote(choice) : described(choice);
    throw new DiskError('ERR_NOT_FOUND', `no snapshot ${wanted}; the image has ${known || 'none'}`);
  }
  const wanted = typeof choice === 'string' ? `${quote(choice)} is the id or the name` : described(choice);
  throw new DiskError('ERR_ARGUMENT', `${wanted} of more than one snapshot; the image has ${known}`);
}

function isChosen({ id, name }: Snapshot, choice: SnapshotChoice): boolean {
  if (typeof choice === 'string') return id === choice || name === choice;
  if (choice.id === undefined && choice.name === undefined) return false;
  return (choice.id ?? id) === id && (choice.name ?? name) === name;
}

function described({ id, name }: Exclude<SnapshotChoice, string>): string {
  const parts = [
    ...(id === undefined ? [] : [`of the id ${quote(id)}`]),
    ...(name === undefined ? [] : [`of the name ${quote(name)}`]),
  ];
  return parts.join(' and ');
}
