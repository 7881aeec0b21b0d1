import { can, copyDisk, DiskError, type DiskModule, dirname, fillImage, joinPath } from '@diskstack/core';
import { type CreationOptions, parseCreationOptions } from '../creation-options.ts';
import { beginImage, type NewImageFile } from '../new-image.ts';
import { type OpenFlags, parseVolumes } from '../open-options.ts';
import { filesOf } from '../same-file.ts';
import { chainOf, type Session, withSession } from '../session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { progressLine } from '../terminal/progress.ts';

export interface ConvertFlags extends OpenFlags {
  readonly outputFormat: string;
  readonly option?: readonly string[];
  readonly compress?: boolean;
  readonly backing?: string;
  readonly backingFormat?: string;
  readonly progress?: boolean;
  readonly sync?: boolean;
}

/** The files that an address may begin with: `IMAGE` of `IMAGE#LAYER`. */
function possibleFiles(address: string): readonly string[] {
  const parts = address.split('#');
  return parts.map((_, index) => parts.slice(0, index + 1).join('#'));
}

/** What the output stands on. */
interface Base {
  readonly name: string;
  readonly format: string | undefined;
  readonly disk: DiskModule;
  readonly folder: string;
}

/** `diskstack convert IMAGE OUTPUT` */
export async function convert(image: string, output: string, flags: ConvertFlags): Promise<void> {
  const options = parseCreationOptions(flags.outputFormat, flags.option);
  refuseContradictions(options, flags);
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const source = await session.open(image, { signal });
      const base = await openBase(session, output, options, flags, signal);
      const inputs = [
        ...[image, ...(flags.pv ?? [])].flatMap(possibleFiles),
        ...Object.values(parseVolumes(flags.volume)),
        ...chainOf(source).flatMap(filesOf),
        ...(base === undefined ? [] : chainOf(base.disk).flatMap(filesOf)),
      ];
      const size = source.size();
      const made = await beginImage(
        { path: output, size, options, backing: base, inputs, isFilled: true, signal },
        flags,
      );
      const progress = progressLine(flags.progress ?? false);
      const { onProgress } = progress;
      try {
        if (options.format === 'raw') {
          await copyDisk(source, made.disk, { targetIsZero: made.isZero, signal, onProgress });
        } else {
          const target = await openTarget(session, made, options.format, base, signal);
          const { clusterSize = 65_536 } = can(target, 'info') ? target.info() : {};
          const { compress = false } = flags;
          await fillImage(source, target, { clusterSize, base: base?.disk, compress, signal, onProgress });
          await session.close(target);
        }
        await made.commit({ sync: flags.sync ?? false });
      } catch (error) {
        await made.discard();
        throw error;
      } finally {
        progress.clear();
      }
    }),
  );
}

function refuseContradictions(
  { format, preallocation, size, qcow }: CreationOptions,
  flags: ConvertFlags,
): void {
  const refuse = (reason: string): never => {
    throw new DiskError('ERR_ARGUMENT', reason);
  };
  if (size !== undefined) refuse('the output has the size of the image; -o size is not for convert');
  if (format === 'raw' && flags.compress) refuse('raw images have no compressed clusters');
  if (format === 'raw' && flags.backing !== undefined) refuse('raw images have no backing file');
  if (flags.compress && preallocation !== 'off')
    refuse('compressed clusters are placed as they come: there is no preallocation for them');
  if (flags.compress && qcow.refcountBits === 1)
    refuse('compressed clusters share a cluster of the image, which refcounts of one bit cannot count');
}

/** The backing file of the output: trusted, for it is named on the command line. */
async function openBase(
  session: Session,
  output: string,
  options: CreationOptions,
  flags: ConvertFlags,
  signal: AbortSignal,
): Promise<Base | undefined> {
  const name = flags.backing ?? options.backingFile;
  const format = flags.backingFormat ?? options.backingFormat;
  if (name === undefined) {
    if (format === undefined) return undefined;
    throw new DiskError('ERR_ARGUMENT', 'the format of a backing file is given, and no backing file');
  }
  if (format === undefined)
    throw new DiskError('ERR_ARGUMENT', 'the backing file is given without its format; -F says it');
  const path = joinPath(dirname(output), name);
  const disk = await session.open(path, { format, snapshot: undefined, signal });
  return { name, format, disk, folder: dirname(path) };
}

/** The new image, to be filled. What it names was named by the caller, so it may be opened. */
function openTarget(
  session: Session,
  made: NewImageFile,
  format: 'qcow' | 'qcow2',
  base: Base | undefined,
  signal: AbortSignal,
): Promise<DiskModule> {
  return session.openOn(made.disk, made.location, {
    format,
    snapshot: undefined,
    mountMode: 'rw',
    signal,
    ...(base === undefined ? {} : { allowBacking: [base.folder] }),
  });
}
