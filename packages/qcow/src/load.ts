import { DiskError, decodeText, type Io, type Load, type NamedDisk, type OpenContext } from '@diskstack/core';
import { readBitmapsIfSound } from './bitmaps.ts';
import { describeExtended } from './clusters/extended.ts';
import { describeStandard } from './clusters/standard.ts';
import { describeHeader } from './describe-header.ts';
import { activeState, type DiskState, snapshotState } from './disk-state.ts';
import { openEncryption } from './encryption.ts';
import { has, type QcowImage, readImage } from './image.ts';
import { readL1Table } from './l1-table.ts';
import { L2Tables } from './l2-tables.ts';
import { HEADER_V2 } from './layout/header.ts';
import { EXTENSION_TYPE, findExtension } from './layout/header-extension.ts';
import { l2TableOffset } from './layout/l1-entry.ts';
import { metadataOf } from './metadata.ts';
import { QcowMapping } from './qcow-mapping.ts';
import { findSnapshot, readSnapshotsIfSound, type SnapshotTable } from './snapshots.ts';
import { readStructure } from './structure.ts';
import { validateL1, validateNameLength } from './validate.ts';

/** Versions 2 and 3. */
export const load: Load = async (file, context, io) => {
  const { limits, codecs } = context;
  const image = await readImage(file, limits, io);
  const { header, geometry } = image;
  const snapshots = await readSnapshotsIfSound(image, io);
  const state = stateOf(image, snapshots, context);
  const l1Table = await readL1Table(
    file,
    state.l1TableOffset,
    validateL1(state, geometry, limits),
    limits,
    io,
  );
  const bitmaps = await readBitmapsIfSound(image, io);
  const decompress = header.compressionType === 1 ? codecs.zstd : codecs.deflate;
  await decompress.ready?.();
  const encryption = await openEncryption(image, context, io);
  const named = await readBacking(image, io);
  const { dataFile, base } = await openOthers(image, named, context, io);

  const external = dataFile !== undefined;
  const clusters = { geometry, file: dataFile ?? file, external };
  return new QcowMapping({
    info: describeHeader(image, state, { named, snapshots, bitmaps, encryption: encryption?.info }),
    geometry,
    dataFile,
    base,
    cipher: encryption?.cipher,
    decompress,
    l1Table,
    l2Tables: new L2Tables(file, geometry, limits.tableCacheBytes),
    l2TableOffset,
    l2TableAlignment: geometry.clusterSize,
    describe: has(image, 'extendedL2')
      ? describeExtended(clusters)
      : describeStandard(clusters, header.version),
    metadata: metadataOf(image, bitmaps.bitmaps),
  });
};

/** The snapshot that the caller asked for, or the active state. A table that cannot be read hides snapshots alone. */
function stateOf(image: QcowImage, table: SnapshotTable | DiskError, { snapshot }: OpenContext): DiskState {
  if (snapshot === undefined) return activeState(image.header);
  if (table instanceof DiskError) throw table;
  return snapshotState(findSnapshot(table.snapshots, snapshot), image.header);
}

/** The data file and the base: last of all, so that nothing stays open when the image itself is refused. */
async function openOthers(image: QcowImage, named: NamedDisk | undefined, context: OpenContext, io: Io) {
  const dataFile = has(image, 'externalDataFile')
    ? await context.openDataFile(dataFileName(image), io)
    : undefined;
  try {
    return { dataFile, base: named === undefined ? undefined : await context.openBase(named, io) };
  } catch (error) {
    await dataFile?.close();
    throw error;
  }
}

/** qcow2 spec, "String header extensions": the name of the external data file. */
function dataFileName({ extensions }: QcowImage): NamedDisk {
  const extension = findExtension(extensions, EXTENSION_TYPE.externalDataFile);
  if (extension !== undefined) return { name: extension.data, offset: extension.at };
  throw new DiskError('ERR_UNSUPPORTED', 'the image has an external data file and does not name it');
}

async function readBacking(image: QcowImage, io: Io): Promise<NamedDisk | undefined> {
  const { file, header, extensions, geometry, limits } = image;
  const { backingFileOffset: offset, backingFileSize: length } = header;
  if (offset === 0 || length === 0) return undefined;
  validateNameLength(length, limits);
  if (offset + length > geometry.clusterSize) {
    throw new DiskError(
      'ERR_CORRUPT',
      `a backing file name up to byte ${offset + length}, it has to end in the first cluster, at ${geometry.clusterSize}`,
      { offset: HEADER_V2.at.backingFileOffset },
    );
  }
  const format = findExtension(extensions, EXTENSION_TYPE.backingFormat);
  const name = await readStructure(file, { what: 'a backing file name', at: offset, length }, io);
  return { name, offset, format: format === undefined ? undefined : decodeText(format.data) };
}
