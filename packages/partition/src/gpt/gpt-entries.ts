import { DiskError, type DiskModule, hex, type Io } from '@diskstack/core';
import { crc32, limitError, readFully } from '@diskstack/core/format';
import type { LayoutContext, Volume } from '@diskstack/core/volumes';
import { attributeNames, GPT_ENTRY, type GptEntry, isUsedEntry, nameOf } from '../layout/gpt-entry.ts';
import { GPT_HEADER, type GptHeader } from '../layout/gpt-header.ts';
import { partitionVolume } from '../partition-volume.ts';
import { GPT_TYPES } from '../types/gpt-types.ts';
import { UNREAD_GPT_TYPES } from '../types/unread-types.ts';

/** Bytes of the array that are read in one call, rounded to whole entries. */
const PIECE = 256 * 1024;

interface Entries {
  readonly volumes: readonly Volume[];
  readonly problem?: string | undefined;
}

/** Reads the partitions from the entry array of a header. Throws `ERR_CORRUPT` if the CRC of the array is wrong. */
export async function readGptEntries(
  disk: DiskModule,
  header: GptHeader,
  sectorSize: number,
  { limits }: LayoutContext,
  io: Io,
): Promise<Entries> {
  const { numberOfPartitionEntries, sizeOfPartitionEntry: size, partitionEntryArrayCrc32 } = header;
  const at = arrayPlace(disk, header, sectorSize, limits.maxTableBytes);
  const volumes: Volume[] = [];
  let used = 0;
  let register = 0xffff_ffff;
  const perPiece = Math.max(1, Math.floor(PIECE / size));
  const piece = new Uint8Array(Math.min(perPiece, numberOfPartitionEntries) * size);
  for (let index = 0; index < numberOfPartitionEntries; index += perPiece) {
    const count = Math.min(perPiece, numberOfPartitionEntries - index);
    const bytes = piece.subarray(0, count * size);
    await readFully(disk, at + index * size, bytes, io);
    register = crc32(bytes, register, 0);
    for (let inPiece = 0; inPiece < count; inPiece++) {
      const entry = bytes.subarray(inPiece * size, (inPiece + 1) * size);
      if (!isUsedEntry(entry) || ++used > limits.maxPartitions) continue;
      volumes.push(entryVolume(disk, GPT_ENTRY.decode(entry), index + inPiece + 1, sectorSize));
    }
  }
  const found = (register ^ 0xffff_ffff) >>> 0;
  if (found !== partitionEntryArrayCrc32) {
    const reason = `the entry array has the CRC ${hex(found)}, but the header records ${hex(partitionEntryArrayCrc32)}`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: at });
  }
  if (used <= limits.maxPartitions) return { volumes };
  return {
    volumes,
    problem: `there are ${used} partitions, and maxPartitions allows ${limits.maxPartitions}; the rest is not listed`,
  };
}

/** The byte of the disk at which the array starts. Checks all fields about the array before anything is read. */
function arrayPlace(
  disk: DiskModule,
  { myLba, partitionEntryLba, numberOfPartitionEntries, sizeOfPartitionEntry }: GptHeader,
  sectorSize: number,
  maxTableBytes: number,
): number {
  const { at: fields } = GPT_HEADER;
  const headerAt = Number(myLba) * sectorSize;
  if (sizeOfPartitionEntry < GPT_ENTRY.size) {
    const reason = `entries have ${sizeOfPartitionEntry} bytes; they need at least ${GPT_ENTRY.size}`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: headerAt + fields.sizeOfPartitionEntry });
  }
  const length = numberOfPartitionEntries * sizeOfPartitionEntry;
  if (length > maxTableBytes) {
    const found = `the entry array has ${length} bytes`;
    throw limitError('maxTableBytes', { maxTableBytes }, found, headerAt + fields.numberOfPartitionEntries);
  }
  const at = Number(partitionEntryLba) * sectorSize;
  if (!Number.isSafeInteger(at) || at + length > disk.size()) {
    const reason = `the entry array has ${length} bytes in sector ${partitionEntryLba}, but the disk ends at byte ${disk.size()}`;
    throw new DiskError('ERR_TRUNCATED', reason, { offset: headerAt + fields.partitionEntryLba });
  }
  return at;
}

function entryVolume(disk: DiskModule, entry: GptEntry, number: number, sectorSize: number): Volume {
  const { partitionTypeGuid: type, uniquePartitionGuid: uuid, startingLba, endingLba, attributes } = entry;
  const names = attributeNames(entry);
  const start = Number(startingLba * BigInt(sectorSize));
  const size = Number((endingLba - startingLba + 1n) * BigInt(sectorSize));
  const isBackwards = endingLba < startingLba;
  const isSafe = Number.isSafeInteger(start) && Number.isSafeInteger(start + size);
  return partitionVolume(disk, {
    number,
    type,
    typeName: GPT_TYPES[type],
    name: nameOf(entry),
    start: isSafe ? start : undefined,
    size: isBackwards || !isSafe ? 0 : size,
    problem: isBackwards
      ? `the partition ends in sector ${endingLba}, before its start in sector ${startingLba}`
      : isSafe
        ? undefined
        : `sectors ${startingLba} to ${endingLba} are past byte 2^53 - 1`,
    unread: UNREAD_GPT_TYPES.get(type),
    facts: {
      uuid,
      attributes: `0x${attributes.toString(16).padStart(16, '0')}`,
      ...(names.length > 0 && { attributeNames: names }),
    },
  });
}
