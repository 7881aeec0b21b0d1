/** `@diskstack/core/format`: the API for authors of formats and storage drivers. */

export { awaitAll } from './async/await-all.ts';
export { breathe } from './async/breathe.ts';
export { andThen, type MaybePromise } from './async/maybe-promise.ts';
export { Mutex } from './async/mutex.ts';
export { untilAborted } from './async/until-aborted.ts';
export { type Crc32, crc32, crc32c, reflectedCrc32 } from './binary/crc32.ts';
export { bits64, bytes, type Field, offset64, u8, u16, u32 } from './binary/fields.ts';
export { guid } from './binary/guid.ts';
export { joinHalves, roundUp } from './binary/safe-number.ts';
export { SECTOR } from './binary/sector.ts';
export { type Struct, struct } from './binary/struct.ts';
export { LoadingCache } from './cache/loading-cache.ts';
export { compressorOf, decompressorOf } from './codec/codec-of.ts';
export { MAX_FINDINGS } from './contracts/check.ts';
export type { Compress, Decompress, DecompressJob } from './contracts/codec.ts';
export type { BlockCipher, CryptoPrimitives, HashFunction, Pbkdf2 } from './contracts/crypto.ts';
export type { DiskFormat, OpenContext, Rank } from './contracts/disk-format.ts';
export {
  defineAmendment,
  defineCreation,
  type ImageAmendment,
  type ImageCreation,
  type ImageUse,
  type MeasuredImage,
  type NeededKey,
  type NewImage,
} from './contracts/image-creation.ts';
export type { OptionType, ValuesOf } from './contracts/image-options.ts';
export { limitError } from './contracts/limit-error.ts';
export type { CandidateName, NamedDisk, NameStyle } from './contracts/named-disk.ts';
export type { ProbeWindow } from './contracts/probe-window.ts';
export type { LocationNames, PathKind, StorageDriver } from './contracts/storage-driver.ts';
export { checkOptions, unknownOption } from './creation/check-options.ts';
export { creationOf, hasOption } from './creation/create-image.ts';
export { type DiskDefinition, defineDisk } from './disks/define-disk.ts';
export { type PassThroughOptions, passThrough } from './disks/pass-through.ts';
export { throwIfAborted } from './errors/disk-error.ts';
export { decodeText } from './errors/text.ts';
export { readFully, writeFully } from './io/range.ts';
export { transferBuffer } from './io/transfer-buffer.ts';
export { ExtentList, MAX_SOURCES } from './mapping/extent-list.ts';
export { MappedDisk, type MappedDiskOptions } from './mapping/mapped-disk.ts';
export type { Load, Mapping } from './mapping/mapping.ts';
export type { MappingWriter, PlacedPart, Placement, WriteEngine } from './mapping/mapping-writer.ts';
export type { PayloadCipher } from './mapping/payload-cipher.ts';
export { footerAt, magicAt, startsWithAt } from './probe/magic.ts';
export { type Recognised, recognise } from './probe/recognise.ts';
export type { ContentKind } from './probe/signatures.ts';
export { HEAD_BYTES, readProbeWindow, TAIL_BYTES } from './probe/window.ts';
export { posixNames, urlNames } from './stack/location-names.ts';
export { isZero } from './transfer/zero-bytes.ts';
