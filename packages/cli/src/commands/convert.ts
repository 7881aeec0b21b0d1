import { DiskError } from '@diskstack/core';
import { hasOption } from '@diskstack/core/format';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { type CreationOptions, parseCreationOptions } from '../image-options/creation-options.ts';
import { creationOption, outputFormatOption } from '../options/creation-option.ts';
import { SIZES } from '../options/number-notes.ts';
import { forceShareOption, formatOption, pvOption, qemuSnapshotOption } from '../options/open-options.ts';
import { withQemuCompat } from '../options/qemu-compat.ts';
import { progressOption } from '../options/report-options.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { requireBitmapSource } from '../transfer/convert-bitmaps.ts';
import { type CopyFlags, type CopyJob, parseWriting } from '../transfer/copy-job.ts';
import {
  openBase,
  passStream,
  writeExisting,
  writeNew,
  writeNewRaw,
  writeStream,
} from '../transfer/copy-output.ts';
import { type CopySource, isOneStream, openSource } from '../transfer/copy-source.ts';
import { rawInput } from '../transfer/raw-input.ts';
import { isStandardOutput } from '../transfer/standard-streams.ts';

export const command = defineCommand<CopyFlags>({
  name: 'convert',
  operands: '<files...>',
  usage: '[options] <image...> <output>',
  summary: 'copy the content of a disk into an image',
  options: [
    outputFormatOption(),
    creationOption(),
    new Option('-c, --compress', 'compress the clusters of the output'),
    new Option('-B, --backing <file>', 'make the output an overlay on this image, with the differences only'),
    new Option('-F, --backing-format <format>', 'format of the backing image'),
    new Option('-n, --no-create', 'write into an existing output, which has the format of -O'),
    new Option('--target-is-zero', 'with -n: the output already reads as zeroes, so write none'),
    new Option(
      '-S, --sparse-size <size>',
      'shortest run of zeroes that is left out; 0 writes all zeroes. Default: 4k',
    ),
    new Option('-r, --rate-limit <size>', 'write at most this many bytes per second'),
    new Option('--bitmaps', 'copy the dirty bitmaps of the image too'),
    new Option('--skip-broken-bitmaps', 'with --bitmaps: leave out inconsistent ones'),
    new Option(
      '--salvage',
      'write zeroes where the image cannot be read, report each range, and exit with status 1',
    ),
    progressOption(),
    new Option('--sync', 'flush the output to stable storage before it takes its name'),
    new Option('-q, --quiet', 'print no progress and no unreadable ranges'),
    new Option(
      '-C, --copy-range',
      'accepted for qemu-img compatibility: blocks are shared anyway where the file system can',
    ).hideHelp(),
    qemuSnapshotOption(),
    forceShareOption(),
    ...withQemuCompat(
      '-t, --cache <mode>',
      '-T, --source-cache <mode>',
      '-W, --out-of-order',
      '-m, --parallel <count>',
    ),
    formatOption(),
    pvOption(),
  ],
  notes: `Several images are concatenated. The name - is standard input (read as raw) or standard output.
The output takes its name when it is complete; an interrupted run leaves nothing. Outputs that cannot be replaced are written
in place: devices, mounted files, files in a read-only folder. Their first bytes are zeroes until they are complete.
${SIZES}`,
  qemuNames: {
    '-b': '-B',
    '--copy-range-offloading': '-C',
    '--no-create': '-n',
    '--oob-writes': '-W',
    '--rate-limit': '-r',
    '--source-format': '-f',
    '--sparse-size': '-S',
    '--target-cache': '-t',
    '--target-format': '-O',
    '--target-format-options': '-o',
  },
  run: convert,
});

/** `diskstack convert IMAGE… OUTPUT` */
async function convert(flags: CopyFlags, ...operands: string[]): Promise<void> {
  const images = operands.slice(0, -1);
  const output = operands.at(-1);
  if (output === undefined || images.length === 0)
    throw new DiskError('ERR_ARGUMENT', 'convert takes one or more images, and then the output');
  const writing = parseWriting(flags);
  const isSent = isStandardOutput(output);
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const compressed = flags.compress ?? false;
      const options = parseCreationOptions(session.disks, flags.outputFormat, flags.option, { compressed });
      refuseContradictions(images, options, flags);
      if (isSent) refuseForStream(options, flags);
      const job: CopyJob = { session, flags, output, options, writing, signal };
      const passes = isOneStream(images) && options.creation.plain && options.file.preallocation === 'off';
      if (passes && isSent) return passStream(job, await rawInput(session, flags, signal));
      if (passes && flags.create !== false) return writeNewRaw(job, await rawInput(session, flags, signal));
      const source = await openSource(job, images);
      try {
        if (flags.bitmaps) requireBitmapSource(source.images, flags);
        await write(job, source, isSent);
      } finally {
        source.unreadable?.finish();
        await source.close();
      }
      source.unreadable?.throwIfAny();
    }),
  );
}

async function write(job: CopyJob, source: CopySource, isSent: boolean): Promise<void> {
  if (isSent) await writeStream(job, source);
  else if (job.flags.create === false) await writeExisting(job, source);
  else await writeNew(job, source, await openBase(job));
}

function refuse(reason: string): never {
  throw new DiskError('ERR_ARGUMENT', reason);
}

function refuseContradictions(
  images: readonly string[],
  { format, creation, size, backingFile }: CreationOptions,
  flags: CopyFlags,
): void {
  const isNew = flags.create !== false;
  const hasBase = flags.backing !== undefined || backingFile !== undefined;
  if (size !== undefined) refuse('the output gets the size of the image; convert takes no -o size');
  if (flags.compress && !creation.abilities?.includes('writeCompressed'))
    refuse(`${format} images have no compressed clusters`);
  if (hasBase && !hasOption(creation.options, 'backing-file'))
    refuse(`${format} images have no backing file`);
  if (hasBase && images.length > 1)
    refuse('the output cannot be an overlay: several images have no common backing file');
  if (!isNew && flags.option !== undefined)
    refuse('-o is for a new image, and with -n the output exists already');
  if (flags.targetIsZero && isNew) refuse('--target-is-zero is for an existing output: it goes with -n');
  if (flags.targetIsZero && hasBase)
    refuse('--target-is-zero is not true of an output that has a backing file');
  if (flags.copyRange && flags.compress)
    refuse('-C leaves the copying to the file system, which cannot compress');
  if (flags.copyRange && flags.sparseSize !== undefined)
    refuse('-C leaves the copying to the file system, which looks for no zeroes; do not give -S with it');
  if (flags.copyRange && flags.salvage)
    refuse(
      '-C leaves the copying to the file system, which cannot skip errors; do not give --salvage with it',
    );
  refuseBitmaps(images, { format, creation }, flags);
}

function refuseBitmaps(
  images: readonly string[],
  { format, creation }: Pick<CreationOptions, 'format' | 'creation'>,
  flags: CopyFlags,
): void {
  if (flags.skipBrokenBitmaps && !flags.bitmaps) refuse('--skip-broken-bitmaps goes with --bitmaps');
  if (!flags.bitmaps) return;
  if (images.length > 1) refuse('--bitmaps copies the bitmaps of one image, and several images are given');
  if (!creation.abilities?.includes('bitmapStore')) refuse(`${format} images have no bitmaps; -O qcow2 has`);
}

/** A stream cannot be written at random. */
function refuseForStream({ format, creation, file }: CreationOptions, flags: CopyFlags): void {
  if (!creation.plain) refuse(`${format} images cannot be written to standard output; -O raw can`);
  if (flags.create === false) refuse('standard output is not an existing image: -n cannot be used with it');
  if (file.preallocation !== 'off') refuse('standard output has no space to preallocate');
}
