export { breathe } from './async/breathe.ts';
export { type Crc32, crc32, crc32c, reflectedCrc32 } from './binary/crc32.ts';
export { bits64, bytes, type Field, offset64, u8, u16, u32 } from './binary/fields.ts';
export { guid } from './binary/guid.ts';
export { joinHalves, roundUp } from './binary/safe-number.ts';
export { type Struct, struct } from './binary/struct.ts';
export { LoadingCache } from './cache/loading-cache.ts';
export { portableCodecs } from './codec/portable-codecs.ts';
export {
  type Abilities,
  type Ability,
  type Able,
  type BitmapExtentsIo,
  can,
  type ExtentsIo,
} from './contracts/abilities.ts';
export type { BitmapExtent, BitmapInfo } from './contracts/bitmap.ts';
export type {
  AmendOptions,
  BackingName,
  BitmapStore,
  DirtyExtents,
  KeySlotChange,
  NewBitmap,
  RepairOptions,
  RepairReport,
  ResizeIo,
  SnapshotStore,
  WorkIo,
  WorkProgress,
  ZeroesIo,
} from './contracts/changes.ts';
export { type CheckFinding, type CheckReport, MAX_FINDINGS } from './contracts/check.ts';
export type {
  BlockCipher,
  CryptoPrimitives,
  HashFunction,
  KeyProvider,
  KeyRequest,
  Pbkdf2,
} from './contracts/crypto.ts';
export type { DiskFormat, MountMode, NamedDisk, OpenContext, Rank } from './contracts/disk-format.ts';
export type { DiskModule, Io, ReadIo } from './contracts/disk-module.ts';
export type { DiskExtent } from './contracts/extent.ts';
export type { Json, LayerInfo } from './contracts/layer-info.ts';
export type { ProbeWindow } from './contracts/probe-window.ts';
export {
  type Codecs,
  type Compress,
  type Compressors,
  DEFAULT_LIMITS,
  type Decompress,
  type DecompressJob,
  type Limits,
  type Logger,
} from './contracts/services.ts';
export type { SnapshotChoice, SnapshotInfo } from './contracts/snapshot.ts';
export type { LocationNames, PathKind, StorageDriver } from './contracts/storage-driver.ts';
export type {
  LayoutContext,
  LayoutMember,
  Volume,
  VolumeIo,
  VolumeKind,
  VolumeLayout,
  VolumeSet,
} from './contracts/volume-layout.ts';
export type { FoundVolume, VolumeManager } from './contracts/volume-manager.ts';
export { BlobDisk } from './disks/blob-disk.ts';
export { type BorrowOptions, borrow } from './disks/borrowed-disk.ts';
export { CachedDisk, type CachedDiskOptions } from './disks/cached-disk.ts';
export { ConcatDisk } from './disks/concat-disk.ts';
export { type Cursor, cursor } from './disks/cursor.ts';
export { type DiskDefinition, defineDisk } from './disks/define-disk.ts';
export { MemoryDisk } from './disks/memory-disk.ts';
export { type PassThroughOptions, passThrough } from './disks/pass-through.ts';
export { SliceDisk } from './disks/slice-disk.ts';
export { createDisks, Disks } from './disks.ts';
export { DiskError, type DiskErrorCode, type DiskErrorDetails, throwIfAborted } from './errors/disk-error.ts';
export { decodeText, hex, quote } from './errors/text.ts';
export { readFully, untilAborted } from './io/range.ts';
export { transferBuffer } from './io/transfer-buffer.ts';
export { ExtentList } from './mapping/extent-list.ts';
export { sourceOf } from './mapping/extent-source.ts';
export { MappedDisk, type MappedDiskOptions } from './mapping/mapped-disk.ts';
export type { Load, Mapping, PayloadCipher } from './mapping/mapping.ts';
export type { MappingWriter, PlacedPart, Placement, WriteEngine } from './mapping/mapping-writer.ts';
export { footerAt, magicAt, startsWithAt } from './probe/magic.ts';
export { HEAD_BYTES, readProbeWindow, TAIL_BYTES } from './probe/window.ts';
export { type ImageMagic, imageMagics } from './signatures/images.ts';
export {
  type BackingGate,
  type BackingRequest,
  deny,
  type FoundDisk,
  filesBelowRoots,
  firstOf,
  volumes,
} from './stack/backing-gate.ts';
export { describeStack, drawStack, type StackDescription } from './stack/describe.ts';
export { posixNames, urlNames } from './stack/location-names.ts';
export type { LayerOptions, OpenOptions, PushOptions, Source } from './stack/open-options.ts';
export { basename, dirname, joinPath, resolvePath } from './stack/paths.ts';
export { type Match, ProbeRegistry } from './stack/probe-registry.ts';
export type { Late, ServiceOptions, Services } from './stack/services.ts';
export { type CommitOptions, commit } from './transfer/commit.ts';
export { type Comparison, compareDisks } from './transfer/compare-disks.ts';
export { type CopiedBitmaps, type CopyBitmapsOptions, copyBitmaps } from './transfer/copy-bitmaps.ts';
export {
  type CopyOptions,
  copyDisk,
  type TransferOptions,
  type TransferProgress,
  type WritingOptions,
} from './transfer/copy-disk.ts';
export { type DiskPart, diskBytes } from './transfer/disk-bytes.ts';
export { type FillOptions, fillImage } from './transfer/fill-image.ts';
export { type NewBase, type RebaseOptions, rebase } from './transfer/rebase.ts';
export { receiveDisk } from './transfer/receive-disk.ts';
export { type SalvageOptions, salvaged, type UnreadableRange } from './transfer/salvage.ts';
export { diskStream, type SequentialSink, sendDisk } from './transfer/send-disk.ts';
export { isZero } from './transfer/zero-bytes.ts';
export { type Address, decodeStep, encodeStep, splitAddress } from './volumes/layer-path.ts';
export { Machine, type MachineDisk, type MachineOptions } from './volumes/machine.ts';
export type { TreeNode } from './volumes/tree-node.ts';
export { canonicalVolumePath } from './volumes/volume-path.ts';
