import { bits64, bytes, guid, struct } from '@diskstack/core/format';

/** UEFI specification, "GPT Partition Entry". An entry may be longer; the additional bytes are reserved. */
export const GPT_ENTRY = struct('little', {
  partitionTypeGuid: guid,
  uniquePartitionGuid: guid,
  startingLba: bits64,
  endingLba: bits64,
  attributes: bits64,
  partitionName: bytes(72),
});

export type GptEntry = ReturnType<typeof GPT_ENTRY.decode>;

/** Whether an entry is used: its type GUID is not zero. It is not decoded for that, because most entries are unused. */
export function isUsedEntry(entry: Uint8Array): boolean {
  return entry.subarray(0, 16).some((byte) => byte !== 0);
}

/** The name of the partition: UTF-16LE, up to the first NUL. */
export function nameOf({ partitionName }: GptEntry): string {
  const text = new TextDecoder('utf-16le', { ignoreBOM: true }).decode(partitionName);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

const REQUIRED = 1n << 0n;
const NO_BLOCK_IO = 1n << 1n;
const LEGACY_BOOT = 1n << 2n;

/** Names of the attributes that the specification defines for all types. Bits 48 to 63 depend on the type. */
export function attributeNames({ attributes }: GptEntry): readonly string[] {
  const names: string[] = [];
  if (attributes & REQUIRED) names.push('required');
  if (attributes & NO_BLOCK_IO) names.push('no block I/O');
  if (attributes & LEGACY_BOOT) names.push('legacy BIOS bootable');
  return names;
}
