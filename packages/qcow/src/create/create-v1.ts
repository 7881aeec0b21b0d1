import { DEFAULT_LIMITS, DiskError, type DiskModule } from '@diskstack/core';
import { roundUp, SECTOR, throwIfAborted } from '@diskstack/core/format';
import { geometryV1, l1EntriesFor } from '../layout/geometry.ts';
import { HEADER_V1, MAGIC_NUMBER } from '../layout/header.ts';
import { nameBytes } from './name-bytes.ts';
import { beginFile } from './new-file.ts';
import type { CreateQcow1Options } from './options.ts';
import { refuse } from './shape.ts';

/** Implements `createQcow1`. */
export async function writeNewV1(disk: DiskModule, options: CreateQcow1Options): Promise<void> {
  const { backing, encryption, signal } = options;
  const io = { signal };
  throwIfAborted(signal);
  const size = roundUp(options.size, SECTOR);
  if (!Number.isSafeInteger(options.size) || !Number.isSafeInteger(size) || size <= 0)
    refuse(`a disk of ${options.size} bytes; version 1 has disks from 1 byte to 2^53 - ${SECTOR}`);
  if (encryption !== undefined && encryption.kind !== 'aes')
    refuse(`encryption ${encryption.kind as string}; version 1 has aes`);
  if (encryption?.passphrase.length === 0) refuse('the passphrase is empty');
  const name = backing === undefined ? new Uint8Array(0) : nameBytes(backing);
  if (backing !== undefined && name.length === 0) refuse('the name of the backing file is empty');
  if (name.length > DEFAULT_LIMITS.maxNameBytes)
    refuse(`a backing file name of ${name.length} bytes, ${DEFAULT_LIMITS.maxNameBytes} are allowed`);
  // Above a base a cluster is one sector, so that a write never has to copy from the base.
  const [clusterBits, l2Bits] = backing === undefined ? [12, 9] : [9, 12];
  const l1Bytes = l1EntriesFor(size, geometryV1(clusterBits, l2Bits)) * 8;
  if (l1Bytes > DEFAULT_LIMITS.maxTableBytes) {
    throw new DiskError(
      'ERR_ARGUMENT',
      `a disk of ${size} bytes needs an L1 table of ${l1Bytes} bytes in version 1, ${DEFAULT_LIMITS.maxTableBytes} are allowed`,
    );
  }
  const l1TableOffset = roundUp(HEADER_V1.size + name.length, 8);
  const head = new Uint8Array(l1TableOffset);
  head.set(
    HEADER_V1.encode({
      magic: MAGIC_NUMBER,
      version: 1,
      backingFileOffset: name.length === 0 ? 0 : HEADER_V1.size,
      backingFileSize: name.length,
      mtime: 0,
      size,
      clusterBits,
      l2Bits,
      padding: 0,
      cryptMethod: encryption === undefined ? 0 : 1,
      l1TableOffset,
    }),
  );
  head.set(name, HEADER_V1.size);
  const end = l1TableOffset + roundUp(l1Bytes, SECTOR);
  const file = await beginFile(disk, end, io);
  // When this is interrupted, the disk holds no image.
  await file.zero(0, end);
  await file.flush();
  await file.write(0, head);
  await file.flush();
}
