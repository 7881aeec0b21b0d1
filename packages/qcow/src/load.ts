import { DiskError, type DiskModule, decodeText, type Io, type Load, type NamedDisk } from '@diskstack/core';
import { describeExtended } from './clusters/extended.ts';
import { describeStandard } from './clusters/standard.ts';
import { describeHeader } from './describe-header.ts';
import { geometry as geometryOf } from './geometry.ts';
import { readL1Table } from './l1-table.ts';
import { L2Tables } from './l2-tables.ts';
import { INCOMPATIBLE } from './layout/feature-bits.ts';
import { HEADER_V2, type Header, readHeader, readName } from './layout/header.ts';
import {
  decodeExtensions,
  EXTENSION_TYPE,
  findExtension,
  type HeaderExtension,
} from './layout/header-extension.ts';
import { l2TableOffset } from './layout/l1-entry.ts';
import { QcowMapping } from './qcow-mapping.ts';
import { validateClusterBits, validateFeatures, validateHeader } from './validate.ts';

/** Versions 2 and 3. */
export const load: Load = async (file, context, io) => {
  const { limits, codecs } = context;
  const header = await readHeader(file, io);
  validateClusterBits(header);
  const extensions = await readExtensions(file, header, io);
  validateFeatures(header, findExtension(extensions, EXTENSION_TYPE.featureNameTable)?.data);
  const extendedL2 = (header.incompatibleFeatures & INCOMPATIBLE.extendedL2) !== 0n;
  const geometry = geometryOf(header.clusterBits, extendedL2 ? 16 : 8);
  const l1Entries = validateHeader(header, geometry, limits);

  const l1Table = await readL1Table(file, header.l1TableOffset, l1Entries, limits, io);
  const named = await readBacking(file, header, extensions, io);
  const clusters = { geometry, file };
  return new QcowMapping({
    info: describeHeader(header, named),
    geometry,
    decompress: header.compressionType === 1 ? codecs.zstd : codecs.deflate,
    l1Table,
    l2Tables: new L2Tables(file, geometry, limits.tableCacheBytes),
    l2TableOffset,
    l2TableAlignment: geometry.clusterSize,
    describe: extendedL2 ? describeExtended(clusters) : describeStandard(clusters, header.version),
    base: named === undefined ? undefined : await context.openBase(named, io),
  });
};

/** qcow2 spec, "Header extensions": from the end of the header to the backing file name, or to the end of its cluster. */
async function readExtensions(file: DiskModule, header: Header, io: Io): Promise<readonly HeaderExtension[]> {
  const { headerLength, backingFileOffset, clusterBits } = header;
  const clusterSize = 2 ** clusterBits;
  if (headerLength > clusterSize) {
    throw new DiskError(
      'ERR_CORRUPT',
      `header_length is ${headerLength}, the first cluster has ${clusterSize} bytes`,
    );
  }
  const end = backingFileOffset === 0 ? clusterSize : Math.min(backingFileOffset, clusterSize);
  return decodeExtensions(await file.read(headerLength, Math.max(0, end - headerLength), io), headerLength);
}

async function readBacking(
  file: DiskModule,
  header: Header,
  extensions: readonly HeaderExtension[],
  io: Io,
): Promise<NamedDisk | undefined> {
  const { backingFileOffset: offset, backingFileSize: length, clusterBits } = header;
  if (offset === 0 || length === 0) return undefined;
  if (offset + length > 2 ** clusterBits) {
    throw new DiskError(
      'ERR_CORRUPT',
      `a backing file name up to byte ${offset + length}, it has to end in the first cluster, at ${2 ** clusterBits}`,
      { offset: HEADER_V2.at.backingFileOffset },
    );
  }
  const format = findExtension(extensions, EXTENSION_TYPE.backingFormat);
  const name = await readName(file, offset, length, io);
  return { name, offset, format: format === undefined ? undefined : decodeText(format.data) };
}
