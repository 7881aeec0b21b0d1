import {
  can,
  copyDisk,
  DiskError,
  type DiskModule,
  fillImage,
  receiveDisk,
  sendDisk,
  type TransferProgress,
  type WritingOptions,
} from '@diskstack/core';
import { beginImage, type NewImageFile } from '../new-image/new-image.ts';
import { filesOf, refuseSameFile } from '../new-image/same-file.ts';
import { backingLocation, chainOf } from '../session/session.ts';
import { progressLine } from '../terminal/progress.ts';
import { copyBitmapsTo, requireBitmapTarget } from './convert-bitmaps.ts';
import type { CopyJob } from './copy-job.ts';
import type { CopySource } from './copy-source.ts';
import { withStandardOutput } from './standard-streams.ts';

/** The backing image of a new output. */
export interface Base {
  readonly name: string;
  readonly format: string;
  readonly disk: DiskModule;
  readonly folder: string;
}

type OnProgress = (progress: TransferProgress) => void;

/** Cluster size of formats that do not report theirs. */
const DEFAULT_CLUSTER = 65_536;

/** Writes a new image. It takes its name when it is complete; a failure leaves nothing of it. */
export async function writeNew(job: CopyJob, source: CopySource, base?: Base): Promise<void> {
  const { session, flags, options, signal } = job;
  const writing = writingNew(job);
  const inputs = [...source.files, ...(base === undefined ? [] : chainOf(base.disk).flatMap(filesOf))];
  await making(job, { size: source.disk.size(), inputs, base }, async (made) => {
    await showing(job, async (onProgress) => {
      if (options.creation.plain) {
        await copyDisk(source.disk, made.disk, { ...writing, targetIsZero: made.isZero, signal, onProgress });
        return;
      }
      const target = await session.openOn(made.disk, made.location, {
        format: options.format,
        snapshot: undefined,
        mountMode: 'rw',
        signal,
        ...(base === undefined ? {} : { allowBacking: [base.folder] }), // the command line names the backing file, so it may be opened
      });
      if (flags.bitmaps) requireBitmapTarget(target);
      const { compress } = flags;
      const clusterSize = clusterSizeOf(target);
      await fillImage(source.disk, target, {
        ...writing,
        clusterSize,
        base: base?.disk,
        compress,
        signal,
        onProgress,
      });
      if (flags.bitmaps) await copyBitmapsTo(source.images, target, flags, signal);
      await session.close(target);
    });
  });
}

/** How a new image is written. Cloning would give back the space that preallocation has reserved. */
function writingNew({ writing, options: { values, file } }: CopyJob): WritingOptions {
  const mode = values.preallocation ?? file.preallocation;
  return mode === 'falloc' || mode === 'full' ? { ...writing, clone: false } : writing;
}

/** Writes a stream of unknown length into a new raw file. */
export async function writeNewRaw(job: CopyJob, stream: AsyncIterable<Uint8Array>): Promise<void> {
  const { writing, signal } = job;
  await making(job, { size: 0, inputs: [] }, async (made) => {
    await receiveDisk(stream, made.disk, { ...writing, targetIsZero: made.isZero, signal });
  });
}

async function making(
  { session, flags, output, options, signal }: CopyJob,
  image: { readonly size: number; readonly inputs: readonly string[]; readonly base?: Base | undefined },
  fill: (made: NewImageFile) => Promise<void>,
): Promise<void> {
  const { size, inputs, base: backing } = image;
  const made = await beginImage(
    session.disks,
    { path: output, size, options, backing, inputs, isFilled: true, signal },
    flags,
  );
  try {
    await fill(made);
    await made.commit({ sync: flags.sync ?? false, signal });
  } catch (error) {
    await made.discard();
    throw error;
  }
}

/** Writes into an existing image or device. Bytes past the end of the source stay as they are. */
export async function writeExisting(job: CopyJob, source: CopySource): Promise<void> {
  const { session, flags, output, options, writing, signal } = job;
  refuseSameFile(output, source.files);
  const target = await session.open(output, {
    format: options.format,
    snapshot: undefined,
    mountMode: 'rw',
    signal,
  });
  for (const file of filesOf(target)) refuseSameFile(file, source.files);
  const targetIsZero = flags.targetIsZero ?? false;
  if (targetIsZero && chainOf(target).length > 1)
    throw new DiskError('ERR_ARGUMENT', '--target-is-zero is not true of an image that has a backing file');
  if (source.disk.size() > target.size())
    throw new DiskError(
      'ERR_OUT_OF_BOUNDS',
      `the output has ${target.size()} bytes, the input has ${source.disk.size()}; make the output longer first`,
    );
  if (flags.bitmaps) requireBitmapTarget(target);
  await showing(job, async (onProgress) => {
    if (options.creation.plain) {
      await copyDisk(source.disk, target, { ...writing, targetIsZero, signal, onProgress });
    } else {
      const clusterSize = clusterSizeOf(target);
      const base = flags.backing === undefined ? undefined : target; // clusters that already have the content are not written
      const { compress } = flags;
      await fillImage(source.disk, target, {
        ...writing,
        clusterSize,
        base,
        targetIsZero,
        compress,
        signal,
        onProgress,
      });
    }
    if (flags.bitmaps) await copyBitmapsTo(source.images, target, flags, signal);
    if (flags.sync && can(target, 'flush')) await target.flush({ signal });
    await session.close(target);
  });
}

/** Writes the content to standard output, and progress to stderr. */
export async function writeStream(job: CopyJob, { disk, files }: CopySource): Promise<void> {
  const { writing, signal } = job;
  refuseSameFile('/dev/stdout', files);
  await showing(
    job,
    (onProgress) =>
      withStandardOutput(signal, (sink) => sendDisk(disk, sink, { ...writing, signal, onProgress })),
    true,
  );
}

/** Passes a stream on to standard output. */
export async function passStream({ signal }: CopyJob, stream: AsyncIterable<Uint8Array>): Promise<void> {
  await withStandardOutput(signal, async (sink) => {
    for await (const bytes of stream) await sink.write(bytes);
  });
}

async function showing(
  { flags }: CopyJob,
  work: (onProgress: OnProgress) => Promise<void>,
  onStderr = false,
): Promise<void> {
  const progress = progressLine((flags.progress ?? false) && !flags.quiet, { onStderr });
  try {
    await work(progress.onProgress);
  } finally {
    progress.clear();
  }
}

function clusterSizeOf(target: DiskModule): number {
  return (can(target, 'info') ? target.info().clusterSize : undefined) ?? DEFAULT_CLUSTER;
}

/** Opens the backing file of the output. It may be any file: the command line names it. */
export async function openBase({
  session,
  output,
  options,
  flags,
  signal,
}: CopyJob): Promise<Base | undefined> {
  const name = flags.backing ?? options.backingFile;
  const format = flags.backingFormat ?? options.backingFormat;
  if (name === undefined) {
    if (format === undefined) return undefined;
    throw new DiskError('ERR_ARGUMENT', 'the format of a backing file is given, and no backing file');
  }
  if (format === undefined)
    throw new DiskError('ERR_ARGUMENT', 'the backing file is given without its format; add -F FORMAT');
  const path = backingLocation(session, name, output);
  const disk = await session.open(path, { format, snapshot: undefined, signal });
  return { name, format, disk, folder: session.disks.parent(path) };
}
