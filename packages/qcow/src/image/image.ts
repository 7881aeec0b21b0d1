import { DiskError, type DiskModule, type Io, type Limits } from '@diskstack/core';
import { decodeText } from '@diskstack/core/format';
import { INCOMPATIBLE } from '../layout/feature-bits.ts';
import { type Geometry, geometry } from '../layout/geometry.ts';
import { decodeHeader, HEADER_V2, HEADER_V3, type Header } from '../layout/header.ts';
import {
  decodeExtensions,
  EXTENSION_TYPE,
  findExtension,
  type HeaderExtension,
  hasEndMarker,
} from '../layout/header-extension.ts';
import type { FileName } from './file-name.ts';
import { readPart, readStructure } from './structure.ts';
import { validateClusterBits, validateFeatures, validateNameLength } from './validate.ts';

/** The validated header of an image of version 2 or 3, with its extensions and backing file name. */
export interface QcowImage {
  /** The disk that holds the image. */
  readonly file: DiskModule;
  readonly header: Header;
  readonly extensions: readonly HeaderExtension[];
  /** The backing file that the image names. */
  readonly backing: FileName | undefined;
  readonly geometry: Geometry;
  readonly limits: Limits;
}

/** Bytes of the first read. They hold the header, extensions and backing file name of nearly every image. */
const USUAL_BYTES = 1024;

/** @param head the bytes at the start of the file, if they have been read already */
export async function readImage(
  file: DiskModule,
  limits: Limits,
  io: Io,
  head?: Uint8Array,
): Promise<QcowImage> {
  const start = head ?? (await readPart(file, 0, USUAL_BYTES, io));
  const header = decodeHeader(start);
  validateClusterBits(header);
  const extensions = await readExtensions(file, header, start, io);
  validateFeatures(header, findExtension(extensions, EXTENSION_TYPE.featureNameTable)?.data);
  const image = { file, header, extensions, limits };
  return {
    ...image,
    backing: await readBacking(image, start, io),
    geometry: geometry(header.clusterBits, has(image, 'extendedL2') ? 16 : 8),
  };
}

/** The codec of the compressed clusters: qcow2 spec, "compression type". */
export function codecName({ compressionType }: Pick<Header, 'compressionType'>): 'deflate' | 'zstd' {
  return compressionType === 1 ? 'zstd' : 'deflate';
}

/** Whether an incompatible feature bit is set. */
export function has({ header }: Pick<QcowImage, 'header'>, feature: keyof typeof INCOMPATIBLE): boolean {
  return (header.incompatibleFeatures & INCOMPATIBLE[feature]) !== 0n;
}

/**
 * qcow2 spec, "Header extensions": from the end of the header to the backing file name, or to the end of its cluster.
 */
async function readExtensions(
  file: DiskModule,
  header: Header,
  start: Uint8Array,
  io: Io,
): Promise<readonly HeaderExtension[]> {
  const { headerLength, backingFileOffset, clusterBits } = header;
  const clusterSize = 2 ** clusterBits;
  if (headerLength > clusterSize) {
    throw new DiskError(
      'ERR_CORRUPT',
      `header_length is ${headerLength}, the first cluster has ${clusterSize} bytes`,
      { offset: HEADER_V3.at.headerLength },
    );
  }
  const end = backingFileOffset === 0 ? clusterSize : Math.min(backingFileOffset, clusterSize);
  const length = end - headerLength;
  const area = start.subarray(headerLength, end);
  const isAll = area.length === length || hasEndMarker(area);
  return decodeExtensions(isAll ? area : await readPart(file, headerLength, length, io), headerLength);
}

/** qcow2 spec, "Header": the name is in the first cluster, and has no terminating NUL. */
async function readBacking(
  { file, header, extensions, limits }: Omit<QcowImage, 'backing' | 'geometry'>,
  start: Uint8Array,
  io: Io,
): Promise<FileName | undefined> {
  const { backingFileOffset: offset, backingFileSize: length, clusterBits } = header;
  if (offset > 2 ** clusterBits) {
    throw new DiskError(
      'ERR_CORRUPT',
      `a backing file name at byte ${offset}, it has to be in the first cluster, which ends at ${2 ** clusterBits}`,
      { offset: HEADER_V2.at.backingFileOffset },
    );
  }
  if (offset === 0 || length === 0) return undefined;
  validateNameLength(length, limits);
  const end = offset + length;
  if (end > 2 ** clusterBits) {
    throw new DiskError(
      'ERR_CORRUPT',
      `a backing file name up to byte ${end}, it must end in the first cluster, at ${2 ** clusterBits}`,
      { offset: HEADER_V2.at.backingFileOffset },
    );
  }
  const format = findExtension(extensions, EXTENSION_TYPE.backingFormat);
  const name =
    end <= start.length
      ? start.slice(offset, end)
      : await readStructure(file, { what: 'a backing file name', at: offset, length }, io);
  return { name, offset, format: format === undefined ? undefined : decodeText(format.data) };
}
