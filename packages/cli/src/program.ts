import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addChanging } from './changing-commands.ts';
import { type Add, act } from './command-line/command-action.ts';
import { withQemuNames } from './command-line/qemu-names.ts';
import type { CompareFlags } from './commands/compare.ts';
import { addCopying } from './copying-commands.ts';
import { asksForOptionHelp } from './image-options/option-help.ts';
import type { OptionHelpFlags } from './image-options/print-option-help.ts';
import {
  type DebugFlags,
  type OpenFlags,
  type OutputFlags,
  withDebug,
  withForceShare,
  withFormat,
  withHabits,
  withOutput,
  withPv,
  withSnapshot,
} from './options/open-options.ts';
import { withSources } from './options/source-options.ts';
import { Failure } from './terminal/failure.ts';

const BYTES = 'Numbers of bytes may be written 4096, 0x1000, 4k, 1M, 2G, 1T.';
/** What clouds offer at most for one disk. */
const LARGEST_VOLUME = '64T';

/**
 * The command line: what can be said. Each command is loaded when it is called. Of a known command nothing but its own
 * options is made: those of all would take a quarter of the time of a short command.
 */
export function buildProgram(args: readonly string[]): Command {
  const [called] = args;
  const program = new Command('diskstack')
    .description('Looks into virtual disks: images, their backing chains, and what they stand on.')
    .version(version(), '-V, --version')
    .configureOutput({ writeErr() {}, outputError() {} }) // errors are told in one line, elsewhere
    .exitOverride();

  const commands = new Map<string | undefined, () => void>();
  const add: Add = (usage, description, define, failed = 1) => {
    const [name] = usage.split(' ', 1);
    commands.set(name, () => {
      const command = program.command(usage).description(description);
      command.exitOverride((error) => {
        throw new Failure(error, { status: failed });
      });
      define(command);
      if (name !== 'formats') withSources(command);
      withQemuNames(command);
      if (asksForOptionHelp(args)) helpInPlaceOfWork(command);
    });
  };
  addLooking(add);
  addJudging(add);
  addContent(add);
  addChanging(add);
  addCopying(add);

  const known = commands.get(called);
  for (const make of known === undefined ? commands.values() : [known]) make();
  return program;
}

/** `-o help` needs no operands: it lists the options of a format. */
function helpInPlaceOfWork(command: Command): void {
  if (!command.options.some(({ long }) => long === '--option')) return;
  for (const argument of command.registeredArguments) argument.required = false;
  act<OptionHelpFlags>(command, async (flags, ...operands) =>
    (await import('./image-options/print-option-help.ts')).printOptionHelp(command.name(), operands, flags),
  );
}

function addLooking(add: Add): void {
  add('info <image>', 'what an image says of itself; opens nothing else', (info) => {
    info.option('--backing-chain', 'open the backing chain and tell about each of its images');
    act<OpenFlags & OutputFlags & { backingChain?: boolean }>(
      withDebug(withOutput(withPv(withFormat(withForceShare(info))))),
      async (flags, image) => (await import('./commands/info.ts')).info(image, flags),
    );
  });

  add('map <image>', 'which bytes are where', (map) => {
    map
      .option('-s, --start-offset <offset>', 'guest offset to start at')
      .option('-l, --max-length <length>', 'look at no more than this many bytes')
      .addHelpText('after', `\n${BYTES}`);
    act<OpenFlags & OutputFlags & { startOffset?: string; maxLength?: string }>(
      withDebug(withOutput(withContent(withFormat(withForceShare(map))))),
      async (flags, image) => (await import('./commands/map.ts')).map(image, flags),
    );
  });

  add(
    'tree <images...>',
    'all that stands on the disks of one machine: partitions, logical volumes, images',
    (tree) => {
      tree.addHelpText(
        'after',
        '\nA layer is opened as IMAGE#LAYER[/LAYER…] by info, map, read, convert, compare and digest.',
      );
      act<OpenFlags & OutputFlags>(
        withDebug(withOutput(withPv(withForceShare(tree)))),
        async (flags, ...images) => (await import('./commands/tree.ts')).tree(images, flags),
      );
    },
  );

  add('bitmaps <image> [name]', 'the dirty bitmaps of an image, or what one of them says', (bitmaps) => {
    act<OpenFlags & OutputFlags>(
      withDebug(withOutput(withFormat(withForceShare(bitmaps)))),
      async (flags, image, name: string | undefined) =>
        (await import('./commands/bitmaps.ts')).bitmaps(image, name, flags),
    );
  });

  add('probe <image>', 'which formats claim an image, the surest first', (probe) => {
    act<OpenFlags & OutputFlags>(withDebug(withOutput(withForceShare(probe))), async (flags, image) =>
      (await import('./commands/probe.ts')).probe(image, flags),
    );
  });

  add('formats', 'the formats that can be opened', (formats) => {
    act<OutputFlags & DebugFlags>(withDebug(withOutput(formats)), async (flags) =>
      (await import('./commands/formats.ts')).formats(flags),
    );
  });
}

function addJudging(add: Add): void {
  add('inspect <image>', 'whether an image from outside is safe to use; opens nothing else', (inspect) => {
    inspect
      .option(
        '-f, --format <format>',
        'the format that the image is said to have; another one is a violation',
      )
      .option('--max-virtual-size <size>', 'largest disk that is no violation', LARGEST_VOLUME)
      .option(
        '--max-ratio <ratio>',
        'guest bytes for each byte of the file that are no violation: no limit, and 1000 of what is compressed, unless told',
      )
      .addHelpText(
        'after',
        `\n${BYTES}\nExit status: 0 all checks pass, 2 one is violated, 1 for any error.`,
      );
    act<OpenFlags & OutputFlags & { maxVirtualSize: string; maxRatio?: string }>(
      withDebug(withOutput(withForceShare(inspect))),
      async (flags, image) => (await import('./commands/inspect.ts')).inspect(image, flags),
    );
  });
}

function addContent(add: Add): void {
  add('read <image> <offset> <length>', 'guest bytes, as a hex dump', (read) => {
    read
      .option('--raw', 'the bytes themselves, to stdout')
      .addHelpText('after', `\n${BYTES} What lies past the end of the disk is left out.`);
    act<OpenFlags & { raw?: boolean }>(
      withDebug(withContent(withFormat(withForceShare(read)))),
      async (flags, image, offset, length) =>
        (await import('./commands/read.ts')).read(image, offset, length, flags),
    );
  });

  add('digest <image>', 'a digest of the content, as sha256sum has it of the raw disk', (digest) => {
    digest
      .option('-a, --algorithm <name>', 'sha256, sha512, sha1, md5 …', 'sha256')
      .option('-p, --progress', 'show progress, also where stderr is no terminal');
    act<OpenFlags & OutputFlags & { algorithm: string; progress?: boolean }>(
      withDebug(withOutput(withContent(withFormat(withForceShare(digest))))),
      async (flags, image) => (await import('./commands/digest.ts')).digest(image, flags),
    );
  });

  add(
    'compare <first> <second>',
    'whether two disks have the same content',
    (compare) => {
      compare
        .option('-f, --format <format>', 'format of the first image; nothing is guessed then')
        .option('-F, --second-format <format>', 'format of the second image')
        .option('-p, --progress', 'show progress, also where stderr is no terminal')
        .option('-q, --quiet', 'tell the answer by the exit status alone')
        .option('-s, --strict', 'disks of other sizes, or of other allocation, are different')
        .addHelpText(
          'after',
          '\n--snapshot is of the first image. Exit status: 0 identical, 1 different, 2 for any error.',
        );
      act<CompareFlags>(
        withDebug(withOutput(withContent(withHabits(withForceShare(compare), '-T, --source-cache <mode>')))),
        async (flags, first, second) => (await import('./commands/compare.ts')).compare(first, second, flags),
        2,
      );
    },
    2,
  );
}

/** Options of every command that reads what is in a disk. */
function withContent(command: Command): Command {
  return withPv(withSnapshot(command));
}

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}
