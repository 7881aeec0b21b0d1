import { DiskError, type DiskModule, type Io, type Limits } from '@diskstack/core';
import { type Geometry, geometry } from './geometry.ts';
import { INCOMPATIBLE } from './layout/feature-bits.ts';
import { HEADER_V3, type Header, readHeader } from './layout/header.ts';
import {
  decodeExtensions,
  EXTENSION_TYPE,
  findExtension,
  type HeaderExtension,
  hasEndMarker,
} from './layout/header-extension.ts';
import { readPart } from './structure.ts';
import { validateClusterBits, validateFeatures } from './validate.ts';

/** The head of an image of version 2 or 3, validated. */
export interface QcowImage {
  /** The disk that holds the image. */
  readonly file: DiskModule;
  readonly header: Header;
  readonly extensions: readonly HeaderExtension[];
  readonly geometry: Geometry;
  readonly limits: Limits;
}

export async function readImage(file: DiskModule, limits: Limits, io: Io): Promise<QcowImage> {
  const header = await readHeader(file, io);
  validateClusterBits(header);
  const extensions = await readExtensions(file, header, io);
  validateFeatures(header, findExtension(extensions, EXTENSION_TYPE.featureNameTable)?.data);
  const image = { file, header, extensions, limits };
  return { ...image, geometry: geometry(header.clusterBits, has(image, 'extendedL2') ? 16 : 8) };
}

/** Bytes of the extensions that are read at first: all that there are in nearly every image. */
const USUAL_BYTES = 2048;

/** Whether an incompatible feature bit is set. */
export function has({ header }: Pick<QcowImage, 'header'>, feature: keyof typeof INCOMPATIBLE): boolean {
  return (header.incompatibleFeatures & INCOMPATIBLE[feature]) !== 0n;
}

/** qcow2 spec, "Header extensions": from the end of the header to the backing file name, or to the end of its cluster. */
async function readExtensions(file: DiskModule, header: Header, io: Io): Promise<readonly HeaderExtension[]> {
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
  const start = await readPart(file, headerLength, Math.min(length, USUAL_BYTES), io);
  const isAll = start.length === length || hasEndMarker(start);
  return decodeExtensions(isAll ? start : await readPart(file, headerLength, length, io), headerLength);
}
