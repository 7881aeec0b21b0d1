import { ConcatDisk, DiskError, type DiskModule, dirname, salvaged } from '@diskstack/core';
import { filesOf } from '../new-image/same-file.ts';
import { parseVolumes } from '../options/open-options.ts';
import { chainOf } from '../session/session.ts';
import type { CopyJob } from './copy-job.ts';
import { rawInput, spooled } from './raw-input.ts';
import { isStandardInput, isStandardOutput } from './standard-streams.ts';
import { UnreadableRanges } from './unreadable-ranges.ts';

/** The input of a copy. */
export interface CopySource {
  readonly disk: DiskModule;
  /** The images, in the order of the command line. */
  readonly images: readonly DiskModule[];
  /** Files that the content comes from. The output must not be one of them. */
  readonly files: readonly string[];
  /** The ranges that `--salvage` could not read. */
  readonly unreadable: UnreadableRanges | undefined;
  /** Deletes the temporary files that hold standard input. */
  close(): Promise<void>;
}

/** Whether standard input is the only input. Its length is unknown, and it can be passed on while it arrives. */
export function isOneStream(images: readonly string[]): boolean {
  return images.length === 1 && isStandardInput(images[0] ?? '');
}

/** Opens the inputs as one disk. Standard input is first stored in a temporary file, to know its length. */
export async function openSource(job: CopyJob, images: readonly string[]): Promise<CopySource> {
  const { session, flags, signal } = job;
  if (images.length > 1 && flags.snapshot !== undefined)
    throw new DiskError('ERR_ARGUMENT', 'a snapshot belongs to one image, and several images are given');
  if (images.filter(isStandardInput).length > 1)
    throw new DiskError('ERR_ARGUMENT', 'standard input is given twice, and can be read only once');
  const unreadable = flags.salvage ? new UnreadableRanges(flags.quiet ?? false) : undefined;
  const opened: DiskModule[] = [];
  const spools: DiskModule[] = [];
  for (const image of images) {
    const isStream = isStandardInput(image);
    const disk = isStream ? await spooledInput(job) : await session.open(image, { signal });
    if (isStream) spools.push(disk);
    opened.push(disk);
  }
  let starts: readonly number[] = [0];
  const readable = opened.map((disk, index) => {
    if (unreadable === undefined) return disk;
    const onUnreadable: Parameters<typeof salvaged>[1]['onUnreadable'] = (range) =>
      unreadable.add({ ...range, offset: range.offset + (starts[index] ?? 0) }, images[index] ?? '');
    return salvaged(disk, { onUnreadable });
  });
  for (const disk of readable) await disk.init({ signal });
  const [first] = readable;
  let disk: DiskModule;
  if (first !== undefined && readable.length === 1) {
    disk = first;
  } else {
    const row = new ConcatDisk(readable);
    await row.init({ signal });
    starts = row.starts();
    disk = row;
  }
  const named = [...images, ...(flags.pv ?? [])].flatMap(possibleFiles);
  const files = [
    ...named,
    ...Object.values(parseVolumes(flags.volume)),
    ...opened.flatMap(chainOf).flatMap(filesOf),
  ];
  const close = async (): Promise<void> => {
    for (const spool of spools) await spool.close();
  };
  return { disk, images: opened, files, unreadable, close };
}

async function spooledInput(job: CopyJob): Promise<DiskModule> {
  const { session, flags, output, signal } = job;
  const hasFolder = !isStandardOutput(output) && !output.startsWith('/dev/');
  const stream = await rawInput(session, flags, signal);
  return spooled(stream, hasFolder ? dirname(output) : undefined, signal);
}

/** The files that an address may start with: `IMAGE` of `IMAGE#LAYER`. */
function possibleFiles(address: string): readonly string[] {
  const parts = address.split('#');
  return parts.map((_, index) => parts.slice(0, index + 1).join('#'));
}
