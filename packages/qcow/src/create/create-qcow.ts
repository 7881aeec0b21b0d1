import { can, type DiskModule } from '@diskstack/core';
import { breathe, throwIfAborted } from '@diskstack/core/format';
import { ENCRYPTION_HEADER } from '../layout/encryption-header.ts';
import {
  AUTOCLEAR,
  COMPATIBLE,
  FEATURE_NAMES_ABOVE,
  featureNameTable,
  INCOMPATIBLE,
} from '../layout/feature-bits.ts';
import { encodeFirstCluster } from '../layout/first-cluster.ts';
import { HEADER_V2, HEADER_V3_BYTES, type Header, MAGIC_NUMBER } from '../layout/header.ts';
import { EXTENSION_TYPE, type NewExtension } from '../layout/header-extension.ts';
import { putRefcount, putRefcountBlockOffset } from '../layout/refcount.ts';
import type { EncryptedStart } from './encrypt.ts';
import { encryptionHeaderBytes, startEncryption } from './encryption.ts';
import { nameBytes, utf8 } from './name-bytes.ts';
import { beginFile, type NewFile } from './new-file.ts';
import type { CreateQcowOptions } from './options.ts';
import { type Plan, planImage } from './plan.ts';
import { fillWithZeroes, preallocatedL1, writePreallocatedL2 } from './preallocate.ts';
import { refuse, requireVersion3, type Shape, shapeOf } from './shape.ts';

/** Implements `createQcow`. */
export async function writeNewImage(disk: DiskModule, options: CreateQcowOptions): Promise<void> {
  const { signal } = options;
  const io = { signal };
  throwIfAborted(signal);
  const shape = completeShape(options);
  const headerBytes = await encryptionHeaderBytes(options.encryption);
  const plan = planImage(shape, {
    encryptionHeaderBytes: headerBytes,
    holdsData: options.dataFile === undefined,
  });
  const headWith = (cryptMethod: number) => encodeHead(options, shape, plan, cryptMethod, headerBytes);
  headWith(options.encryption?.kind === 'luks' ? 2 : 0); // throws when names do not fit
  const encryption = await startEncryption(options.encryption, options, io);

  const file = await beginFile(disk, plan.end, io);
  if (!file.isZero) {
    // An old image must not keep its header while its tables are overwritten.
    await file.zero(0, shape.geometry.clusterSize);
    await file.flush();
  }
  await writeRefcounts(file, shape, plan);
  await file.zero(plan.encryptionHeader.at, plan.encryptionHeader.clusters * shape.geometry.clusterSize);
  if (encryption.headerBytes.length > 0) await file.write(plan.encryptionHeader.at, encryption.headerBytes);
  await writeMapping(disk, file, shape, plan, encryption, options);
  await file.flush();
  await file.write(0, headWith(encryption.cryptMethod));
  await file.flush();
}

/** The shape of the image. Checks the other options against it. */
function completeShape(options: CreateQcowOptions): Shape {
  const { version = 3, backing, dataFile, lazyRefcounts, compressionType = 'zlib', encryption } = options;
  const needsTables = dataFile?.raw === true && (options.preallocation ?? 'off') === 'off';
  // A raw data file holds the whole disk, so the tables must map all of it from the beginning.
  const shape = shapeOf(needsTables ? { ...options, preallocation: 'metadata' } : options);
  if (lazyRefcounts === true) requireVersion3(version, 'lazy refcounts');
  if (dataFile !== undefined) requireVersion3(version, 'external data files');
  if (compressionType === 'zstd') requireVersion3(version, 'clusters compressed by zstd');
  if (compressionType !== 'zlib' && compressionType !== 'zstd')
    refuse(`the compression type ${compressionType as string}; zlib and zstd are possible`);
  if (backing !== undefined && nameBytes(backing).length === 0)
    refuse('the name of the backing file is empty');
  if (backing !== undefined && dataFile?.raw === true)
    refuse('a raw data file is the whole disk by itself: there can be no backing file below it');
  if (backing !== undefined && shape.preallocation !== 'off' && !shape.extendedL2)
    refuse('preallocated clusters hide the backing file, unless there are extended L2 entries');
  if (encryption?.passphrase.length === 0) refuse('the passphrase is empty');
  return shape;
}

/** The first cluster. */
function encodeHead(
  options: CreateQcowOptions,
  shape: Shape,
  plan: Plan,
  cryptMethod: number,
  encryptionLength: number,
): Uint8Array {
  const { backing, dataFile, lazyRefcounts = false, compressionType = 'zlib' } = options;
  const { version, geometry } = shape;
  const header: Header = {
    magic: MAGIC_NUMBER,
    version,
    backingFileOffset: 0,
    backingFileSize: 0,
    clusterBits: geometry.clusterBits,
    size: shape.size,
    cryptMethod,
    l1Size: shape.l1Size,
    l1TableOffset: shape.l1Size === 0 ? 0 : plan.l1Table.at,
    refcountTableOffset: plan.refcountTable.at,
    refcountTableClusters: plan.refcountTable.clusters,
    nbSnapshots: 0,
    snapshotsOffset: 0,
    incompatibleFeatures: bitsOf(
      dataFile !== undefined && INCOMPATIBLE.externalDataFile,
      compressionType === 'zstd' && INCOMPATIBLE.compressionType,
      shape.extendedL2 && INCOMPATIBLE.extendedL2,
    ),
    compatibleFeatures: bitsOf(lazyRefcounts && COMPATIBLE.lazyRefcounts),
    autoclearFeatures: bitsOf(dataFile?.raw === true && AUTOCLEAR.rawExternalData),
    refcountOrder: shape.refcountOrder,
    headerLength: version === 2 ? HEADER_V2.size : HEADER_V3_BYTES,
    compressionType: compressionType === 'zstd' ? 1 : 0,
  };
  const pointer = { offset: plan.encryptionHeader.at, length: encryptionLength };
  const extensions: NewExtension[] = [];
  const extend = (type: number, data: Uint8Array | undefined): void => {
    if (data !== undefined) extensions.push({ type, data });
  };
  extend(EXTENSION_TYPE.backingFormat, backing?.format === undefined ? undefined : utf8(backing.format));
  extend(EXTENSION_TYPE.externalDataFile, dataFile && nameBytes(dataFile));
  extend(
    EXTENSION_TYPE.encryptionHeader,
    encryptionLength === 0 ? undefined : ENCRYPTION_HEADER.encode(pointer),
  );
  const hasRoom = version >= 3 && geometry.clusterSize > FEATURE_NAMES_ABOVE;
  extend(EXTENSION_TYPE.featureNameTable, hasRoom ? featureNameTable() : undefined);
  return encodeFirstCluster({ header, extensions, backingName: backing && nameBytes(backing) });
}

function bitsOf(...bits: readonly (bigint | false)[]): bigint {
  return bits.reduce<bigint>((all, bit) => all | (bit === false ? 0n : bit), 0n);
}

/** Writes the refcounts: every cluster of the image is used once. */
async function writeRefcounts(file: NewFile, shape: Shape, plan: Plan): Promise<void> {
  const { clusterSize } = shape.geometry;
  const { refcountTable, refcountBlocks } = plan;
  const table = new Uint8Array(refcountTable.clusters * clusterSize);
  const perBlock = (clusterSize * 8) / 2 ** shape.refcountOrder;
  for (let index = 0; index < refcountBlocks.clusters; index++) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    const at = refcountBlocks.at + index * clusterSize;
    putRefcountBlockOffset(new DataView(table.buffer), index, at);
    const block = new Uint8Array(clusterSize);
    const used = Math.min(perBlock, plan.clusters - index * perBlock);
    for (let entry = 0; entry < used; entry++)
      putRefcount(new DataView(block.buffer), entry, shape.refcountOrder, 1);
    await file.write(at, block);
  }
  await file.write(refcountTable.at, table);
}

/** Writes the L1 and L2 tables, and the guest clusters of a preallocated image. */
async function writeMapping(
  disk: DiskModule,
  file: NewFile,
  shape: Shape,
  plan: Plan,
  { cipher }: EncryptedStart,
  options: CreateQcowOptions,
): Promise<void> {
  const { dataFile, signal } = options;
  const io = { signal };
  const { preallocation, size, version } = shape;
  const holder = dataFile?.disk ?? disk;
  const at = dataFile === undefined ? plan.data.at : 0;
  const content = dataFile === undefined ? file : await beginFile(dataFile.disk, size, io);
  const { clusterSize } = shape.geometry;
  if (preallocation === 'off') {
    await file.zero(plan.l1Table.at, plan.l1Table.clusters * clusterSize);
    return;
  }
  // Preallocated clusters must read as zeroes. Encrypted clusters, and old content of the disk, would not.
  const saysZero = version >= 3 && dataFile?.raw !== true && (cipher !== undefined || !content.isZero);
  const l1 = new Uint8Array(plan.l1Table.clusters * clusterSize);
  l1.set(preallocatedL1(shape, plan));
  await file.write(plan.l1Table.at, l1);
  await writePreallocatedL2(file, shape, plan, at, saysZero, io);
  const isFilled = preallocation !== 'metadata' || (!saysZero && (cipher !== undefined || !content.isZero));
  if (preallocation === 'falloc' && cipher === undefined && can(holder, 'writeZeroes'))
    await holder.writeZeroes(at, size, io);
  else if (isFilled) await fillWithZeroes(holder, at, size, cipher, options);
  if (dataFile !== undefined) await content.flush();
}
