import { type Command, Option } from 'commander';
import { type Add, act } from './command-line/command-action.ts';
import type { MeasureFlags } from './commands/measure.ts';
import {
  collect,
  snapshotOption,
  withDebug,
  withForceShare,
  withFormat,
  withHabits,
  withOutput,
  withPv,
} from './options/open-options.ts';
import type { CopyFlags } from './transfer/copy-job.ts';

const SIZES = 'Sizes may be written 4096, 4k, 1.5G, 1T.';

/** The commands that copy disks, and the one that says how long a copy becomes. */
export function addCopying(add: Add): void {
  add('convert <files...>', 'write the content of a disk into an image', (convert) => {
    convert
      .usage('[options] <image...> <output>')
      .option('-O, --output-format <format>', 'format of the output', 'raw')
      .addOption(creationOption())
      .option('-c, --compress', 'compress the clusters of the output')
      .option(
        '-B, --backing <file>',
        'the output is an overlay on this image, and holds what differs from it',
      )
      .option('-F, --backing-format <format>', 'format of that image')
      .option('-n, --no-create', 'the output is there already, in the format of -O: write into it')
      .option('--target-is-zero', 'with -n: the output reads as zeroes, which are not written then')
      .option(
        '-S, --sparse-size <size>',
        'write runs of zeroes that are shorter; 0 writes all zeroes. Default: 4k',
      )
      .option('-r, --rate-limit <size>', 'write at most this many bytes each second')
      .option('--bitmaps', 'copy the dirty bitmaps of the image too')
      .option('--skip-broken-bitmaps', 'with --bitmaps: leave out those that are inconsistent')
      .option(
        '--salvage',
        'write zeroes where the image cannot be read, report each such range, and exit with status 1',
      )
      .option('-p, --progress', 'show progress, also where no terminal is')
      .option('--sync', 'the output is on stable storage before it takes its name')
      .option('-q, --quiet', 'no progress, and no report of unreadable ranges')
      .addOption(new Option('-C, --copy-range', 'accepted for qemu-img compatibility').hideHelp())
      .addHelpText(
        'after',
        `\nSeveral images are copied in a row. The name - is standard input, read as raw, or standard output.
The output takes its name when it is whole; an interrupted run leaves nothing. Outputs that cannot be replaced are written
in place: devices, mounted files, files in a folder that takes no new ones. Those begin with zeroes until they are whole.
${SIZES}`,
      );
    convert.addOption(snapshotOption('-l, --snapshot <id or name>'));
    withForceShare(convert);
    withHabits(
      convert,
      '-t, --cache <mode>',
      '-T, --source-cache <mode>',
      '-W, --out-of-order',
      '-m, --parallel <count>',
    );
    act<CopyFlags>(withDebug(withSource(withFormat(convert))), async (flags, ...files) =>
      (await import('./commands/convert.ts')).convert(files, flags),
    );
  });

  add(
    'dd <operands...>',
    'copy blocks of a disk: if=IMAGE of=OUTPUT bs=BYTES count=BLOCKS skip=BLOCKS',
    (dd) => {
      dd.usage('[options] if=<image> of=<output> [bs=<size>] [count=<blocks>] [skip=<blocks>]')
        .option('-O, --output-format <format>', 'format of the output', 'raw')
        .addHelpText(
          'after',
          `\nBlocks are of 512 bytes, or of bs=. count= ends the copy at this block of the input: blocks that are skipped count too.
The name - is standard input, read as raw, or standard output. ${SIZES}`,
        );
      act<CopyFlags>(withDebug(withSource(withFormat(withForceShare(dd)))), async (flags, ...operands) =>
        (await import('./commands/dd.ts')).dd(operands, flags),
      );
    },
  );

  add('measure [image]', 'how long the file of a new image would become', (measure) => {
    measure
      .option('-O, --output-format <format>', 'format of the new image', 'raw')
      .addOption(creationOption())
      .option('--size <size>', 'of an empty image with a disk of this size, in place of an image')
      .addOption(snapshotOption('-l, --snapshot <id or name>'))
      .addHelpText('after', `\n${SIZES}`);
    act<MeasureFlags>(
      withDebug(withOutput(withSource(withFormat(withForceShare(measure))))),
      async (flags, image: string | undefined) =>
        (await import('./commands/measure.ts')).measure(image, flags),
    );
  });
}

/** `-o` of the commands that make images. */
export function creationOption(): Option {
  return new Option(
    '-o, --option <key=value,…>',
    'what qemu-img create -o says of the format: cluster_size, compat, preallocation … (repeatable)',
  ).argParser(collect);
}

/** Options of a command that reads what is in a disk. */
function withSource(command: Command): Command {
  return withPv(command);
}
