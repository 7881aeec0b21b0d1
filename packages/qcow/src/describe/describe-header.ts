import type { DiskError, Json, SnapshotInfo } from '@diskstack/core';
import { decodeText } from '@diskstack/core/format';
import { bitmapsAreConsistent } from '../bitmaps/directory.ts';
import type { DiskState } from '../image/disk-state.ts';
import type { FileName } from '../image/file-name.ts';
import { has, type QcowImage } from '../image/image.ts';
import type { Bitmap } from '../layout/bitmap.ts';
import { AUTOCLEAR, COMPATIBLE } from '../layout/feature-bits.ts';
import { EXTENSION_TYPE, findExtension } from '../layout/header-extension.ts';
import type { SnapshotTable } from '../snapshots/snapshot-table.ts';
import { type QcowInfo, sharedInfo } from './info.ts';

/** What has been read of an image beside its header. */
export interface ImageFindings {
  readonly named: FileName | undefined;
  readonly snapshots: SnapshotTable | DiskError;
  readonly bitmaps: { readonly bitmaps: readonly Bitmap[]; readonly problem?: DiskError };
  readonly encryption: { readonly [key: string]: Json } | undefined;
}

/** What `info` reports about an image of version 2 or 3. The keys of `specific` are qemu-img's. */
export function describeHeader(image: QcowImage, state: DiskState, findings: ImageFindings): QcowInfo {
  const { header } = image;
  const { named, snapshots, encryption } = findings;
  const backingFileName = named === undefined ? '' : decodeText(named.name);
  const dataFile = findExtension(image.extensions, EXTENSION_TYPE.externalDataFile);
  return {
    format: 'qcow2',
    ...sharedInfo(header.version, state.size, 2 ** header.clusterBits, backingFileName),
    dirty: has(image, 'dirty'),
    ...(encryption === undefined ? {} : { encrypted: true }),
    ...('snapshots' in snapshots ? { snapshots: snapshotInfos(snapshots, header.size) } : {}),
    ...(named === undefined ? {} : { backing: backing(backingFileName, named.format) }),
    ...(dataFile === undefined || !has(image, 'externalDataFile')
      ? {}
      : { dataFile: decodeText(dataFile.data) }),
    specific: { type: 'qcow2', data: specificData(image, findings) },
    warnings: warnings(image, findings),
  };
}

function backing(name: string, format: string | undefined) {
  return format === undefined ? { name } : { name, format };
}

/** The snapshots as the caller of the library sees them. */
export function snapshotInfos({ snapshots }: SnapshotTable, currentSize: number): readonly SnapshotInfo[] {
  return snapshots.map(
    ({ id, name, diskSize, vmStateSize, dateSec, dateNsec, vmClockSec, vmClockNsec, icount }) => ({
      id,
      name,
      diskSize: diskSize ?? currentSize,
      vmStateSize,
      dateSec,
      dateNsec,
      vmClockSec,
      vmClockNsec,
      ...(icount === undefined ? {} : { icount }),
    }),
  );
}

function warnings(image: QcowImage, { snapshots, bitmaps }: ImageFindings): readonly string[] {
  const texts: string[] = [];
  if (has(image, 'dirty'))
    texts.push('the image was not closed cleanly (dirty bit); its refcounts may be wrong');
  if (has(image, 'corrupt')) texts.push('the image is marked corrupt; reads may return wrong data');
  if (!('snapshots' in snapshots)) texts.push(`the snapshots cannot be read: ${snapshots.message}`);
  if (bitmaps.problem !== undefined) texts.push(`the bitmaps cannot be read: ${bitmaps.problem.message}`);
  if (bitmaps.bitmaps.length > 0 && !bitmapsAreConsistent(image)) {
    texts.push('the image was written by a program that does not know bitmaps; they may be out of date');
  }
  return texts;
}

function specificData(
  image: QcowImage,
  { bitmaps, encryption }: ImageFindings,
): { readonly [key: string]: Json } {
  const { header } = image;
  const compression = { 'compression-type': header.compressionType === 1 ? 'zstd' : 'zlib' };
  const refcounts = { 'refcount-bits': 2 ** header.refcountOrder };
  const encrypt: { readonly [key: string]: Json } = encryption === undefined ? {} : { encrypt: encryption };
  if (header.version < 3) return { compat: '0.10', ...compression, ...refcounts, ...encrypt };
  return {
    compat: '1.1',
    ...compression,
    'lazy-refcounts': (header.compatibleFeatures & COMPATIBLE.lazyRefcounts) !== 0n,
    ...(bitmapsAreConsistent(image) && bitmaps.bitmaps.length > 0
      ? { bitmaps: bitmaps.bitmaps.map(bitmapJson) }
      : {}),
    ...refcounts,
    ...encrypt,
    ...dataFileJson(image),
    corrupt: has(image, 'corrupt'),
    'extended-l2': has(image, 'extendedL2'),
  };
}

function bitmapJson({ name, granularity, inUse, auto }: Bitmap): Json {
  return { flags: [...(inUse ? ['in-use'] : []), ...(auto ? ['auto'] : [])], name, granularity };
}

function dataFileJson(image: QcowImage): { readonly [key: string]: Json } {
  const extension = findExtension(image.extensions, EXTENSION_TYPE.externalDataFile);
  if (!has(image, 'externalDataFile') || extension === undefined) return {};
  const isRaw = (image.header.autoclearFeatures & AUTOCLEAR.rawExternalData) !== 0n;
  return { 'data-file': decodeText(extension.data), 'data-file-raw': isRaw };
}
