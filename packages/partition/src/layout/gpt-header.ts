import { DiskError, hex } from '@diskstack/core';
import { bits64, bytes, crc32, guid, struct, u32 } from '@diskstack/core/format';

/** UEFI specification, "GPT Header". */
export const GPT_HEADER = struct('little', {
  signature: bytes(8),
  revision: u32,
  headerSize: u32,
  headerCrc32: u32,
  reserved: u32,
  myLba: bits64,
  alternateLba: bits64,
  firstUsableLba: bits64,
  lastUsableLba: bits64,
  diskGuid: guid,
  partitionEntryLba: bits64,
  numberOfPartitionEntries: u32,
  sizeOfPartitionEntry: u32,
  partitionEntryArrayCrc32: u32,
});

export type GptHeader = ReturnType<typeof GPT_HEADER.decode>;

const SIGNATURE = [...'EFI PART'].map((letter) => letter.charCodeAt(0));

export function hasGptSignature(sector: Uint8Array): boolean {
  return SIGNATURE.every((byte, index) => sector[index] === byte);
}

/**
 * Decodes a header and checks its signature, size, CRC and sector number. `lba` is the number of the sector, `at` the byte
 * of the disk at which it starts. Throws `ERR_CORRUPT`.
 */
export function decodeGptHeader(sector: Uint8Array, lba: number, at: number): GptHeader {
  if (!hasGptSignature(sector))
    throw new DiskError('ERR_CORRUPT', 'the signature "EFI PART" is missing', { offset: at });
  const header = GPT_HEADER.decode(sector, at);
  const { headerSize, headerCrc32, myLba } = header;
  if (headerSize < GPT_HEADER.size || headerSize > sector.length) {
    const reason = `the header has ${headerSize} bytes; ${GPT_HEADER.size} to ${sector.length} are possible`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: at + GPT_HEADER.at.headerSize });
  }
  const checked = sector.slice(0, headerSize);
  checked.fill(0, GPT_HEADER.at.headerCrc32, GPT_HEADER.at.headerCrc32 + 4);
  const found = crc32(checked);
  if (found !== headerCrc32) {
    const reason = `the header has the CRC ${hex(found)}, but it records ${hex(headerCrc32)}`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: at + GPT_HEADER.at.headerCrc32 });
  }
  if (myLba !== BigInt(lba)) {
    const reason = `the header in sector ${lba} records that it is in sector ${myLba}`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: at + GPT_HEADER.at.myLba });
  }
  return header;
}
