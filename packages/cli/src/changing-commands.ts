import { type Command, Option } from 'commander';
import { type Add, act } from './command-action.ts';
import type { BitmapAction, BitmapFlags } from './commands/bitmap.ts';
import type { CheckFlags } from './commands/check.ts';
import type { CommitFlags } from './commands/commit.ts';
import type { ConvertFlags } from './commands/convert.ts';
import type { CreateFlags } from './commands/create.ts';
import type { MeasureFlags } from './commands/measure.ts';
import type { RebaseFlags } from './commands/rebase.ts';
import type { ResizeFlags } from './commands/resize.ts';
import type { SnapshotFlags } from './commands/snapshot.ts';
import type { WriteFlags } from './commands/write.ts';
import {
  collect,
  type OpenFlags,
  snapshotOption,
  withBacking,
  withDebug,
  withForceShare,
  withFormat,
  withHabits,
  withOutput,
  withPv,
  withSecret,
} from './open-options.ts';

const SIZES = 'Sizes may be written 4096, 4k, 1.5G, 1T.';
const BYTES = 'Numbers of bytes may be written 4096, 0x1000, 4k, 1M, 2G, 1T.';

/** The commands that make images and change them. Each is loaded when it is called. */
export function addChanging(add: Add): void {
  addMaking(add);
  addContent(add);
  addChains(add);
  addMetadata(add);
}

function addMaking(add: Add): void {
  add('create <image> [size]', 'make an empty image', (create) => {
    create
      .option('-f, --format <format>', 'format of the image', 'raw')
      .option(
        '-b, --backing <file>',
        'the image is an overlay on this one, named as seen from its own folder',
      )
      .option('-F, --backing-format <format>', 'format of the backing file')
      .option('-u, --unsafe', 'do not look at the backing file; the size has to be given')
      .addOption(creationOption())
      .option('-q, --quiet', 'say nothing of it')
      .addHelpText('after', `\n${SIZES} What stands under the name is replaced when the image is whole.`);
    act<CreateFlags>(
      withDebug(withSecret(withBacking(create))),
      async (flags, image, size: string | undefined) =>
        (await import('./commands/create.ts')).create(image, size, flags),
    );
  });

  add('convert <image> <output>', 'write the content of a disk into a new image', (convert) => {
    convert
      .option('-O, --output-format <format>', 'format of the output', 'raw')
      .addOption(creationOption())
      .option('-c, --compress', 'compress the clusters of the output')
      .option(
        '-B, --backing <file>',
        'the output is an overlay on this image, and holds what differs from it',
      )
      .option('-F, --backing-format <format>', 'format of that image')
      .option('-p, --progress', 'show progress, also where stderr is no terminal')
      .option('--sync', 'the output is on stable storage before it takes its name')
      .option('-q, --quiet', 'taken for the sake of scripts: there is nothing to be quiet about')
      .addHelpText(
        'after',
        '\nThe output takes its name when it is whole; an interrupted run leaves nothing.',
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
    act<ConvertFlags>(withDebug(withSource(withFormat(convert))), async (flags, image, output) =>
      (await import('./commands/convert.ts')).convert(image, output, flags),
    );
  });

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

function creationOption(): Option {
  return new Option(
    '-o, --option <key=value,…>',
    'what qemu-img create -o says of the format: cluster_size, compat, preallocation … (repeatable)',
  ).argParser(collect);
}

function addContent(add: Add): void {
  add('write <image> <offset>', 'write the bytes of stdin into a disk, or a pattern', (write) => {
    write
      .option('--pattern <byte>', 'this byte again and again, in place of stdin')
      .option('--zeroes', 'zeroes, without writing them where the format has a shorter way')
      .option('--unmap', 'with --zeroes: give their space back')
      .option('--length <length>', 'how many bytes of the pattern, or zeroes')
      .addHelpText(
        'after',
        `\n${BYTES} What does not fit into the disk is refused before anything is written; of stdin that is known for 64 MiB.`,
      );
    act<WriteFlags>(withDebug(withSecret(withBacking(withFormat(write)))), async (flags, image, offset) =>
      (await import('./commands/write.ts')).write(image, offset, flags),
    );
  });

  add('discard <image> <offset> <length>', 'give clusters of a disk back; they read as zeroes', (discard) => {
    act<OpenFlags>(
      withDebug(withSecret(withBacking(withFormat(discard.addHelpText('after', `\n${BYTES}`))))),
      async (flags, image, offset, length) =>
        (await import('./commands/discard.ts')).discard(image, offset, length, flags),
    );
  });

  add('resize <image> <size>', 'make a disk longer, or shorter: SIZE, +SIZE or -SIZE', (resize) => {
    resize
      .option('--shrink', 'allow a smaller size: what is past it is lost')
      .option('-q, --quiet', 'say nothing of it')
      .allowUnknownOption() // -SIZE
      .allowExcessArguments() // what it is, is told better
      .addHelpText('after', `\n${SIZES}`);
    act<ResizeFlags>(withDebug(withSecret(withBacking(withFormat(resize)))), async (flags, ...operands) =>
      (await import('./commands/resize.ts')).resize(operands, flags),
    );
  });
}

function addChains(add: Add): void {
  add('commit <image>', 'write what an overlay holds into the image that it stands on', (commit) => {
    commit
      .option('-b, --backing <file>', 'into this image of the chain; the overlay is not emptied then')
      .option('-d, --keep', 'do not empty the overlay')
      .option('-p, --progress', 'show progress, also where stderr is no terminal')
      .option('-q, --quiet', 'say nothing of it')
      .addHelpText(
        'after',
        '\nInterrupted, the overlay reads as before. Other overlays on the image do not.',
      );
    withHabits(commit, '-t, --cache <mode>');
    act<CommitFlags>(withDebug(withSecret(withBacking(withFormat(commit)))), async (flags, image) =>
      (await import('./commands/commit.ts')).commit(image, flags),
    );
  });

  add('rebase <image>', 'put an overlay on another image, and read as before', (rebase) => {
    rebase
      .requiredOption('-b, --backing <file>', 'the image to stand on; "" for none')
      .option('-F, --backing-format <format>', 'its format')
      .option('-u, --unsafe', 'change the name alone: what the overlay reads as changes with it')
      .option('-p, --progress', 'show progress, also where stderr is no terminal')
      .option('-q, --quiet', 'taken for the sake of scripts: there is nothing to be quiet about')
      .addHelpText('after', '\nInterrupted, the overlay stands on its old image and reads as before.');
    withForceShare(rebase);
    withHabits(rebase, '-t, --cache <mode>', '-T, --source-cache <mode>');
    act<RebaseFlags>(withDebug(withSecret(withBacking(withFormat(rebase)))), async (flags, image) =>
      (await import('./commands/rebase.ts')).rebase(image, flags),
    );
  });
}

function addMetadata(add: Add): void {
  add('snapshot <image>', 'list the internal snapshots of an image, or change them', (snapshot) => {
    snapshot
      .option('-l, --list', 'list them: what is done when nothing is said')
      .option('-c, --create <name>', 'keep the current state under a name')
      .option('-a, --apply <snapshot>', 'make the state of a snapshot the current one, by its id or its name')
      .option('-d, --delete <snapshot>', 'give a snapshot up')
      .option('-q, --quiet', 'taken for the sake of scripts: there is nothing to be quiet about');
    withForceShare(snapshot);
    act<SnapshotFlags>(withDebug(withOutput(withFormat(snapshot))), async (flags, image) =>
      (await import('./commands/snapshot.ts')).snapshot(image, flags),
    );
  });

  add('check <image>', 'whether the metadata of an image is consistent', (check) => {
    check
      .addOption(
        new Option('-r, --repair <what>', 'give leaked clusters back, or put right all that can be').choices([
          'leaks',
          'all',
        ]),
      )
      .option('--dry-run', 'tell what -r would do, and write nothing')
      .option('-q, --quiet', 'tell the answer by the exit status alone')
      .addHelpText(
        'after',
        '\nExit status: 0 clean, 2 corruption, 3 leaks only, 1 for any error. -r all puts refcounts and COPIED bits right. Where L1 or L2 tables are damaged it changes nothing: convert such an image.',
      );
    withForceShare(check);
    withHabits(check, '-T, --source-cache <mode>');
    act<CheckFlags>(withDebug(withOutput(withFormat(check))), async (flags, image) =>
      (await import('./commands/check.ts')).check(image, flags),
    );
  });

  add('bitmap <image> <name>', 'change a dirty bitmap of an image', (bitmap) => {
    const actions: BitmapAction[] = [];
    bitmap
      .option('--add', 'make one')
      .option('--remove', 'remove it')
      .option('--clear', 'call everything clean')
      .option('--enable', 'writers keep it up to date')
      .option('--disable', 'writers leave it as it is')
      .option('-g, --granularity <size>', 'guest bytes that a bit of a new bitmap stands for')
      .addHelpText('after', '\nWhat is asked for is done in its order.');
    for (const action of ['add', 'remove', 'clear', 'enable', 'disable'] as const)
      bitmap.on(`option:${action}`, () => actions.push(action));
    act<BitmapFlags>(withDebug(withFormat(bitmap)), async (flags, image, name) =>
      (await import('./commands/bitmap.ts')).bitmap(image, name, actions, flags),
    );
  });
}

/** Options of a command that reads what is in a disk. */
function withSource(command: Command): Command {
  return withPv(withSecret(withBacking(command)));
}
