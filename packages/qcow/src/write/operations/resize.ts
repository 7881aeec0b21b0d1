import { can, DiskError, type Io, type ResizeIo } from '@diskstack/core';
import { limitError, roundUp } from '@diskstack/core/format';
import { l1EntriesFor } from '../../layout/geometry.ts';
import { HEADER_V2 } from '../../layout/header.ts';
import { EXTENSION_TYPE, findExtension } from '../../layout/header-extension.ts';
import { readSnapshots, type SnapshotTable } from '../../snapshots/snapshot-table.ts';
import { forget } from '../data/discard.ts';
import type { WriteContext } from '../data/write-context.ts';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { stage } from '../metadata/staging.ts';
import { completeSnapshots } from '../snapshots/complete-snapshots.ts';
import { zeroPastEnd } from './zero-past-end.ts';

/** Changes the size of the guest disk. The header changes last. */
export async function resizeImage(context: WriteContext, size: number, io: ResizeIo): Promise<void> {
  const { state } = context;
  const old = state.image.header.size;
  checkSnapshots(state, size);
  checkBitmaps(state, size);
  if (size !== old) await completeSnapshots(context, await snapshotsOf(state));
  if (size > old) await grow(context, old, size, io);
  else if (size < old) await shrink(context, old, size, io);
  io.onProgress?.({ done: size, total: size });
}

/** In version 2 a snapshot does not record its size, so it would get the new one. */
function checkSnapshots({ image }: ImageState, size: number): void {
  if (image.header.version >= 3 || image.header.nbSnapshots === 0 || size === image.header.size) return;
  throw new DiskError('ERR_UNSUPPORTED', 'an image of version 2 with snapshots cannot be resized', {
    offset: HEADER_V2.at.nbSnapshots,
  });
}

/** Reads the snapshots: those that do not record their size have the old one. */
async function snapshotsOf({ image, file }: ImageState): Promise<SnapshotTable | undefined> {
  const { header, limits } = image;
  return header.nbSnapshots === 0 ? undefined : await readSnapshots(file.disk, header, limits, {});
}

/** A bitmap covers at least one byte: qemu refuses an image whose bitmap covers none. */
function checkBitmaps({ image }: ImageState, size: number): void {
  if (size > 0 || findExtension(image.extensions, EXTENSION_TYPE.bitmaps) === undefined) return;
  throw new DiskError(
    'ERR_ARGUMENT',
    'the image has bitmaps, and a disk of 0 bytes cannot have any: remove them',
  );
}

async function grow(context: WriteContext, old: number, size: number, io: Io): Promise<void> {
  const { state, guard } = context;
  const { geometry, limits, header } = state.image;
  const needed = l1EntriesFor(size, geometry);
  if (needed * 8 > limits.maxTableBytes)
    throw limitError('maxTableBytes', limits, `an L1 table of ${needed * 8} bytes`);
  if (needed > header.l1Size) {
    await stage(state, guard, async (staging) => {
      const { view, at: oldAt } = state.tables.l1;
      const bytes = new Uint8Array(needed * 8);
      bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
      const at = await staging.write('the L1 table', bytes);
      const clusters = Math.ceil(view.byteLength / geometry.clusterSize);
      if (clusters > 0) await staging.drop(oldAt / geometry.clusterSize, clusters);
      await staging.switch({ l1TableOffset: at, l1Size: needed });
      state.tables.replaceL1(new DataView(bytes.buffer), at);
    });
  }
  // Neither a longer base nor old data of the disk may show there.
  await zeroPastEnd(context, old, size, io);
  const { dataFile } = state.file;
  if (dataFile !== undefined && dataFile.size() < size && can(dataFile, 'resize'))
    await dataFile.resize(size);
  await flushMetadata(state);
  await setSize(state, size);
}

async function shrink(context: WriteContext, old: number, size: number, io: Io): Promise<void> {
  const { state } = context;
  // The clusters go first. After an interruption the disk has its old size, and no old content shows when it grows later.
  await context.record(size, old - size);
  await forget(context, size, old, io);
  await zeroPastEnd(context, size, Math.min(old, roundUp(size, state.image.geometry.clusterSize)), io);
  await flushMetadata(state);
  await setSize(state, size);
  const { dataFile } = state.file;
  if (dataFile !== undefined && dataFile.size() > size && can(dataFile, 'resize')) {
    await dataFile.resize(size, { shrink: true });
  }
}

async function setSize(state: ImageState, size: number): Promise<void> {
  await state.file.barrier();
  await state.writeHeader({ size });
  await state.file.barrier();
}
