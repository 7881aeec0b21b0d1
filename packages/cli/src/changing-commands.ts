import { Option } from 'commander';
import { type Add, act } from './command-line/command-action.ts';
import type { AmendFlags } from './commands/amend.ts';
import type { BitmapAction, BitmapFlags } from './commands/bitmap.ts';
import type { CheckFlags } from './commands/check.ts';
import type { CommitFlags } from './commands/commit.ts';
import type { CreateFlags } from './commands/create.ts';
import type { RebaseFlags } from './commands/rebase.ts';
import type { ResizeFlags } from './commands/resize.ts';
import type { SnapshotFlags } from './commands/snapshot.ts';
import type { WriteFlags } from './commands/write.ts';
import { creationOption } from './copying-commands.ts';
import {
  collect,
  type OpenFlags,
  withDebug,
  withForceShare,
  withFormat,
  withHabits,
  withOutput,
} from './options/open-options.ts';

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
    act<CreateFlags>(withDebug(create), async (flags, image, size: string | undefined) =>
      (await import('./commands/create.ts')).create(image, size, flags),
    );
  });
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
    act<WriteFlags>(withDebug(withFormat(write)), async (flags, image, offset) =>
      (await import('./commands/write.ts')).write(image, offset, flags),
    );
  });

  add('discard <image> <offset> <length>', 'give clusters of a disk back; they read as zeroes', (discard) => {
    act<OpenFlags>(
      withDebug(withFormat(discard.addHelpText('after', `\n${BYTES}`))),
      async (flags, image, offset, length) =>
        (await import('./commands/discard.ts')).discard(image, offset, length, flags),
    );
  });

  add('resize <image> <size>', 'make a disk longer, or shorter: SIZE, +SIZE or -SIZE', (resize) => {
    resize
      .option('--shrink', 'allow a smaller size: what is past it is lost')
      .option('--preallocation <mode>', 'of the new part: off, metadata, falloc or full', 'off')
      .option('-q, --quiet', 'say nothing of it')
      .allowUnknownOption() // -SIZE
      .allowExcessArguments() // what it is, is told better
      .addHelpText('after', `\n${SIZES}`);
    act<ResizeFlags>(withDebug(withFormat(resize)), async (flags, ...operands) =>
      (await import('./commands/resize.ts')).resize(operands, flags),
    );
  });
}

function addChains(add: Add): void {
  add('commit <image>', 'write what an overlay holds into the image that it stands on', (commit) => {
    commit
      .option(
        '-b, --backing <file>',
        'into this image of the chain, named as the overlay on it names it; the overlay is not emptied then',
      )
      .option('-d, --keep', 'do not empty the overlay')
      .option('-r, --rate-limit <rate>', 'write no more bytes than this in a second')
      .option('-p, --progress', 'show progress, also where stderr is no terminal')
      .option('-q, --quiet', 'say nothing of it')
      .addHelpText(
        'after',
        '\nInterrupted, the overlay reads as before. Other overlays on the image do not.',
      );
    withHabits(commit, '-t, --cache <mode>');
    act<CommitFlags>(withDebug(withFormat(commit)), async (flags, image) =>
      (await import('./commands/commit.ts')).commit(image, flags),
    );
  });

  add('rebase <image>', 'put an overlay on another image, and read as before', (rebase) => {
    rebase
      .requiredOption('-b, --backing <file>', 'the image to stand on; "" for none')
      .option('-F, --backing-format <format>', 'its format')
      .option('-u, --unsafe', 'change the name alone: what the overlay reads as changes with it')
      .option('-c, --compress', 'compress the clusters that are copied into the overlay')
      .option('-p, --progress', 'show progress, also where stderr is no terminal')
      .option('-q, --quiet', 'accepted for qemu-img compatibility; no effect')
      .addHelpText('after', '\nInterrupted, the overlay stands on its old image and reads as before.');
    withForceShare(rebase);
    withHabits(rebase, '-t, --cache <mode>', '-T, --source-cache <mode>');
    act<RebaseFlags>(withDebug(withFormat(rebase)), async (flags, image) =>
      (await import('./commands/rebase.ts')).rebase(image, flags),
    );
  });
}

function addMetadata(add: Add): void {
  add('amend <image>', 'change features of an image: its version, refcounts, data file', (amend) => {
    amend
      .addOption(
        new Option('-o, --option <key=value,…>', 'what is to change; help lists it (repeatable)').argParser(
          collect,
        ),
      )
      .option('-p, --progress', 'show progress, also where stderr is no terminal')
      .option('-q, --quiet', 'accepted for qemu-img compatibility; no effect')
      .option('--force', 'accepted for qemu-img compatibility; no effect');
    withHabits(amend, '-t, --cache <mode>');
    act<AmendFlags>(withDebug(withFormat(amend)), async (flags, image) =>
      (await import('./commands/amend.ts')).amend(image, flags),
    );
  });

  add('snapshot <image>', 'list the internal snapshots of an image, or change them', (snapshot) => {
    snapshot
      .option('-l, --list', 'list them: what is done when nothing is said')
      .option('-c, --create <name>', 'keep the current state under a name')
      .option('-a, --apply <snapshot>', 'make the state of a snapshot the current one, by its id or its name')
      .option('-d, --delete <snapshot>', 'give a snapshot up')
      .option('-q, --quiet', 'accepted for qemu-img compatibility; no effect');
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
      .option('--merge <bitmap>', 'call dirty as well what this bitmap does (repeatable)', collect)
      .option('-b, --source-file <image>', 'the image that has the bitmaps to merge. Default: the same image')
      .option('-F, --source-format <format>', 'format of that image')
      .option(
        '-g, --granularity <size>',
        'guest bytes that a bit of a new bitmap stands for. Default: the cluster size, from 4k to 64k',
      )
      .addHelpText('after', '\nWhat is asked for is done in its order.');
    for (const kind of ['add', 'remove', 'clear', 'enable', 'disable'] as const)
      bitmap.on(`option:${kind}`, () => actions.push({ kind }));
    bitmap.on('option:merge', (source: string) => actions.push({ kind: 'merge', source }));
    act<BitmapFlags>(withDebug(withFormat(bitmap)), async (flags, image, name) =>
      (await import('./commands/bitmap.ts')).bitmap(image, name, actions, flags),
    );
  });
}
