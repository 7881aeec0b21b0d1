import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { Failure } from './failure.ts';
import {
  type DebugFlags,
  type OpenFlags,
  type OutputFlags,
  withBacking,
  withDebug,
  withFormat,
  withOutput,
  withSecret,
  withSnapshot,
} from './open-options.ts';
import { PipeClosed } from './terminal/stdout.ts';

const BYTES = 'Numbers of bytes may be written 4096, 0x1000, 4k, 1M, 2G, 1T.';
/** What clouds offer at most for one disk. */
const LARGEST_VOLUME = '64T';

/** The command line: what can be said. Each command is loaded when it is called. */
export function buildProgram(): Command {
  const program = new Command('diskstack')
    .description('Looks into virtual disks: images, their backing chains, and what they stand on.')
    .version(version(), '-V, --version')
    .configureOutput({ writeErr() {}, outputError() {} }) // errors are told in one line, elsewhere
    .exitOverride();

  /** Adds a command. `failed` is the exit status of an error. */
  const add = (usage: string, description: string, failed = 1): Command => {
    const command = program.command(usage).description(description);
    return command.exitOverride((error) => {
      throw new Failure(error, { status: failed });
    });
  };

  addLooking(add);
  addJudging(add);
  addContent(add);
  return program;
}

type Add = (usage: string, description: string, failed?: number) => Command;

function addLooking(add: Add): void {
  const info = add('info <image>', 'what an image says of itself; opens nothing else');
  info.option('--backing-chain', 'open the backing chain and tell about each of its images');
  act<OpenFlags & OutputFlags & { backingChain?: boolean }>(
    withDebug(withOutput(withSecret(withBacking(withFormat(info))))),
    async (flags, image) => (await import('./commands/info.ts')).info(image, flags),
  );

  const map = add('map <image>', 'which bytes are where')
    .option('--start-offset <offset>', 'guest offset to start at')
    .option('--max-length <length>', 'look at no more than this many bytes')
    .addHelpText('after', `\n${BYTES}`);
  act<OpenFlags & OutputFlags & { startOffset?: string; maxLength?: string }>(
    withDebug(withOutput(withContent(withFormat(map)))),
    async (flags, image) => (await import('./commands/map.ts')).map(image, flags),
  );

  const snapshot = add('snapshot <image>', 'the internal snapshots of an image').option(
    '-l, --list',
    'list them, which is all there is to do',
  );
  act<OpenFlags & OutputFlags>(withDebug(withOutput(withFormat(snapshot))), async (flags, image) =>
    (await import('./commands/snapshot.ts')).snapshot(image, flags),
  );

  const bitmaps = add('bitmaps <image> [name]', 'the dirty bitmaps of an image, or what one of them says');
  act<OpenFlags & OutputFlags>(
    withDebug(withOutput(withFormat(bitmaps))),
    async (flags, image, name: string | undefined) =>
      (await import('./commands/bitmaps.ts')).bitmaps(image, name, flags),
  );

  const probe = add('probe <image>', 'which formats claim an image, the surest first');
  act<OutputFlags & DebugFlags>(withDebug(withOutput(probe)), async (flags, image) =>
    (await import('./commands/probe.ts')).probe(image, flags),
  );

  const formats = add('formats', 'the formats that can be opened');
  act<OutputFlags & DebugFlags>(withDebug(withOutput(formats)), async (flags) =>
    (await import('./commands/formats.ts')).formats(flags),
  );
}

function addJudging(add: Add): void {
  const check = add('check <image>', 'whether the metadata of an image is consistent').addHelpText(
    'after',
    '\nExit status: 0 clean, 2 corruption, 3 leaks only, 1 for any error.',
  );
  act<OpenFlags & OutputFlags>(withDebug(withOutput(withFormat(check))), async (flags, image) =>
    (await import('./commands/check.ts')).check(image, flags),
  );

  const inspect = add('inspect <image>', 'whether an image from outside is safe to use; opens nothing else')
    .option('-f, --format <format>', 'the format that the image is said to have; another one is a violation')
    .option('--max-virtual-size <size>', 'largest disk that is no violation', LARGEST_VOLUME)
    .option(
      '--max-ratio <ratio>',
      'guest bytes for each byte of the file that are no violation: no limit, and 1000 of what is compressed, unless told',
    )
    .addHelpText('after', `\n${BYTES}\nExit status: 0 all checks pass, 2 one is violated, 1 for any error.`);
  act<OpenFlags & OutputFlags & { maxVirtualSize: string; maxRatio?: string }>(
    withDebug(withOutput(inspect)),
    async (flags, image) => (await import('./commands/inspect.ts')).inspect(image, flags),
  );
}

function addContent(add: Add): void {
  const read = add('read <image> <offset> <length>', 'guest bytes, as a hex dump')
    .option('--raw', 'the bytes themselves, to stdout')
    .addHelpText('after', `\n${BYTES} What lies past the end of the disk is left out.`);
  act<OpenFlags & { raw?: boolean }>(
    withDebug(withContent(withFormat(read))),
    async (flags, image, offset, length) =>
      (await import('./commands/read.ts')).read(image, offset, length, flags),
  );

  const convert = add('convert <image> <output>', 'write the content of a disk into a new, sparse file')
    .option('-O, --output-format <format>', 'format of the output', 'raw')
    .option('-p, --progress', 'show progress, also where stderr is no terminal')
    .addHelpText('after', '\nThe output takes its name when it is whole; an interrupted run leaves nothing.');
  act<OpenFlags & { outputFormat: string; progress?: boolean }>(
    withDebug(withContent(withFormat(convert))),
    async (flags, image, output) => (await import('./commands/convert.ts')).convert(image, output, flags),
  );

  const compare = add('compare <first> <second>', 'whether two disks have the same content', 2)
    .option('-f, --format <format>', 'format of the first image; nothing is guessed then')
    .option('-F, --second-format <format>', 'format of the second image')
    .option('-p, --progress', 'show progress, also where stderr is no terminal')
    .addHelpText(
      'after',
      '\n--snapshot is of the first image. Exit status: 0 identical, 1 different, 2 for any error.',
    );
  act<OpenFlags & OutputFlags & { secondFormat?: string; progress?: boolean }>(
    withDebug(withOutput(withContent(compare))),
    async (flags, first, second) => (await import('./commands/compare.ts')).compare(first, second, flags),
    2,
  );
}

/** Options of every command that reads what is in a disk. */
function withContent(command: Command): Command {
  return withSecret(withSnapshot(withBacking(command)));
}

/** What a command does. A failure is told with the options that the command was given. */
function act<Flags extends DebugFlags & { untrusted?: boolean }>(
  command: Command,
  work: (flags: Flags, ...operands: [string, string, string]) => Promise<void>,
  failed?: number,
): void {
  command.action(async () => {
    const flags = command.opts<Flags>();
    try {
      await work(flags, ...(command.args as [string, string, string])); // as many as `usage` declares; optional ones may be missing
    } catch (error) {
      if (error instanceof PipeClosed) throw error;
      const { debug, untrusted } = flags;
      if (error instanceof Failure)
        throw new Failure(error.cause, { debug, untrusted, status: error.status });
      throw new Failure(error, { debug, untrusted, status: failed });
    }
  });
}

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}
