import { DiskError, type Io } from '@diskstack/core';
import { decompressorOf, type Load, type OpenContext } from '@diskstack/core/format';
import { readBitmapsIfSound } from '../bitmaps/directory.ts';
import { describeHeader } from '../describe/describe-header.ts';
import { activeState, type DiskState, snapshotState } from '../image/disk-state.ts';
import type { Encryption } from '../image/encryption.ts';
import { type FileName, namedDisk } from '../image/file-name.ts';
import { codecName, has, type QcowImage, readImage } from '../image/image.ts';
import { validateL1 } from '../image/validate.ts';
import { EXTENSION_TYPE, findExtension } from '../layout/header-extension.ts';
import { l2TableOffset } from '../layout/l1-entry.ts';
import { findSnapshot, readSnapshotsIfSound, type SnapshotTable } from '../snapshots/snapshot-table.ts';
import { describeV2 } from '../tables/clusters/v2.ts';
import { readL1Table } from '../tables/l1-table.ts';
import { L2Tables } from '../tables/l2-tables.ts';
import { QcowMapping } from '../tables/qcow-mapping.ts';
import type { WriterSources } from '../write/open-writer.ts';
import type { QcowWriter } from '../write/qcow-writer.ts';
import { metadataOf } from './abilities.ts';

/** Versions 2 and 3. */
export const load: Load = async (file, context, io) => {
  const { limits, codecs } = context;
  const image = await readImage(file, limits, io, context.head);
  const { header, geometry } = image;
  const snapshots = await readSnapshotsIfSound(image, io);
  const state = stateOf(image, snapshots, context);
  const needed = validateL1(state, geometry, limits);
  const writes = context.mountMode === 'rw' && file.writable;
  if (writes) checkWritable(context);
  const l1Table = await readL1Table(file, state.l1TableOffset, writes ? header.l1Size : needed, limits, io);
  const bitmaps = await readBitmapsIfSound(image, io);
  const decompress = decompressorOf(codecs, codecName(header));
  const encryption = await encryptionOf(image, context, io);
  const named = image.backing;
  const { dataFile, base } = await openOthers(image, named, context, io);

  const extended = has(image, 'extendedL2');
  const shape = { geometry, version: header.version, extended, external: dataFile !== undefined };
  const l2Tables = new L2Tables(file, geometry, limits.tableCacheBytes, !writes);
  const sources = {
    image,
    l1: l1Table,
    l2Tables,
    snapshots,
    base,
    dataFile,
    encrypted: encryption !== undefined,
  };
  const writer = writes ? await writerOf(sources, context, io) : undefined;
  const findings = { named, snapshots, bitmaps, encryption: encryption?.info };
  const now = (): QcowImage => writer?.image ?? image;
  return new QcowMapping({
    size: () => (writer === undefined ? state.size : now().header.size),
    info: () =>
      writer === undefined
        ? describeHeader(image, state, findings)
        : describeHeader(now(), activeState(now().header), {
            ...findings,
            snapshots: writer.snapshotTable,
            ...(writer.bitmaps === undefined ? {} : { bitmaps: { bitmaps: writer.bitmaps } }),
          }),
    geometry,
    dataFile,
    base,
    cipher: encryption?.cipher,
    decompress,
    l1Table,
    l2Tables,
    l2TableOffset,
    l2TableAlignment: geometry.clusterSize,
    describe: describeV2(shape, dataFile ?? file),
    metadata: metadataOf(() => ({
      image: now(),
      bitmaps: writer?.bitmaps ?? bitmaps.bitmaps,
      problem: writer?.bitmaps === undefined ? bitmaps.problem : undefined,
      changesOf: (bitmap) => writer?.changesOf(bitmap),
      flush: async (io) => writer?.flush(io),
    })),
    writer,
  });
};

/** Loads the ciphers only for encrypted images. */
async function encryptionOf(image: QcowImage, context: OpenContext, io: Io): Promise<Encryption | undefined> {
  if (image.header.cryptMethod === 0) return undefined;
  return (await import('../image/encryption.ts')).openEncryption(image, context, io);
}

/** Loads the write side only for images that are opened for writing. Closes the other files when that fails. */
async function writerOf(sources: WriterSources, context: OpenContext, io: Io): Promise<QcowWriter> {
  try {
    return await (await import('../write/open-writer.ts')).openWriter(sources, context, io);
  } catch (error) {
    await sources.base?.close();
    await sources.dataFile?.close();
    throw error;
  }
}

/** Refuses to open a snapshot for writing, before other files are opened. */
function checkWritable({ snapshot }: OpenContext): void {
  if (snapshot !== undefined) {
    throw new DiskError(
      'ERR_READ_ONLY',
      "a snapshot cannot be written; open it with mountMode 'r', or apply it",
    );
  }
}

/**
 * The chosen snapshot, or the active state. An unreadable snapshot table is an error only when a snapshot was chosen.
 */
function stateOf(image: QcowImage, table: SnapshotTable | DiskError, { snapshot }: OpenContext): DiskState {
  if (snapshot === undefined) return activeState(image.header);
  if (table instanceof DiskError) throw table;
  return snapshotState(findSnapshot(table.snapshots, snapshot), image.header);
}

/** Opens the data file and the base. Runs last, so that nothing stays open when the image itself is refused. */
async function openOthers(image: QcowImage, named: FileName | undefined, context: OpenContext, io: Io) {
  const dataFile = has(image, 'externalDataFile')
    ? await context.openStorage(namedDisk(dataFileName(image)), io)
    : undefined;
  try {
    return { dataFile, base: named === undefined ? undefined : await context.openBase(namedDisk(named), io) };
  } catch (error) {
    await dataFile?.close();
    throw error;
  }
}

/** qcow2 spec, "String header extensions": the name of the external data file. */
function dataFileName({ extensions }: QcowImage): FileName {
  const extension = findExtension(extensions, EXTENSION_TYPE.externalDataFile);
  if (extension !== undefined) return { name: extension.data, offset: extension.at };
  throw new DiskError('ERR_UNSUPPORTED', 'the image has an external data file, but no name for it');
}
