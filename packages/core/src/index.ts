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
  NewBitmap,
  RepairOptions,
  RepairReport,
  ResizeIo,
  SnapshotStore,
  WorkIo,
  WorkProgress,
  ZeroesIo,
} from './contracts/changes.ts';
export type { CheckFinding, CheckReport } from './contracts/check.ts';
export type { Cloner } from './contracts/cloner.ts';
export type { Codec, Codecs, CoreCodecs } from './contracts/codec.ts';
export type { KeyProvider, KeyRequest } from './contracts/crypto.ts';
export type { MountMode } from './contracts/disk-format.ts';
export type { DiskModule, Io, ReadIo } from './contracts/disk-module.ts';
export type { DiskExtent } from './contracts/extent.ts';
export type { ImageMeasure } from './contracts/image-creation.ts';
export type { ImageOption, OptionSchema, OptionValue, OptionValues } from './contracts/image-options.ts';
export type { Json, LayerInfo } from './contracts/layer-info.ts';
export { DEFAULT_LIMITS, type Limits, type Logger } from './contracts/services.ts';
export type { SnapshotChoice, SnapshotInfo } from './contracts/snapshot.ts';
export type { CreateOptions } from './creation/create-image.ts';
export { BlobDisk } from './disks/blob-disk.ts';
export { type BorrowOptions, borrow } from './disks/borrowed-disk.ts';
export { CachedDisk, type CachedDiskOptions } from './disks/cached-disk.ts';
export { ConcatDisk } from './disks/concat-disk.ts';
export { type Cursor, cursor } from './disks/cursor.ts';
export { MemoryDisk } from './disks/memory-disk.ts';
export { SliceDisk } from './disks/slice-disk.ts';
export { createDisks, Disks } from './disks.ts';
export {
  DiskError,
  type DiskErrorCode,
  type DiskErrorDetails,
  type DiskErrorHint,
} from './errors/disk-error.ts';
export { hex, quote } from './errors/text.ts';
export { sourceOf } from './mapping/extent-source.ts';
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
export type { LayerOptions, OpenOptions, PushOptions, Source } from './stack/open-options.ts';
export { basename, dirname, joinPath, resolvePath } from './stack/paths.ts';
export { type Match, ProbeRegistry } from './stack/probe-registry.ts';
export type { Lazy, ServiceOptions, Services } from './stack/services.ts';
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
export { type Address, splitAddress } from './volumes/layer-path.ts';
export { Machine } from './volumes/machine.ts';
export type { MachineDisk, MachineOptions } from './volumes/machine-disk.ts';
export type { TreeNode } from './volumes/tree-node.ts';
