import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { CommandDefinition } from './command-line/define-command.ts';
import { makeCommand } from './command-line/make-command.ts';
import { pluginOption, withoutLeadingPlugins } from './options/plugin-option.ts';

/** The commands, in the order of the help. The file of each is loaded when it is called. */
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: CommandDefinition }>>> = {
  info: () => import('./commands/info.ts'),
  map: () => import('./commands/map.ts'),
  tree: () => import('./commands/tree.ts'),
  bitmaps: () => import('./commands/bitmaps.ts'),
  probe: () => import('./commands/probe.ts'),
  formats: () => import('./commands/formats.ts'),
  inspect: () => import('./commands/inspect.ts'),
  read: () => import('./commands/read.ts'),
  digest: () => import('./commands/digest.ts'),
  compare: () => import('./commands/compare.ts'),
  create: () => import('./commands/create.ts'),
  write: () => import('./commands/write.ts'),
  discard: () => import('./commands/discard.ts'),
  resize: () => import('./commands/resize.ts'),
  commit: () => import('./commands/commit.ts'),
  rebase: () => import('./commands/rebase.ts'),
  amend: () => import('./commands/amend.ts'),
  snapshot: () => import('./commands/snapshot.ts'),
  check: () => import('./commands/check.ts'),
  bitmap: () => import('./commands/bitmap.ts'),
  convert: () => import('./commands/convert.ts'),
  dd: () => import('./commands/dd.ts'),
  measure: () => import('./commands/measure.ts'),
};

/** The command line, with the command that is called; with all of them where none is, for the help and for errors. */
export async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('diskstack')
    .description('Opens virtual disks: images, their backing chains, partitions and logical volumes.')
    .version(version(), '-V, --version')
    .addOption(pluginOption())
    .configureOutput({ writeErr() {}, outputError() {} }) // run.ts prints errors, in one line
    .exitOverride();
  const definitions = await Promise.all(calledIn(args).map((load) => load()));
  for (const { command } of definitions) makeCommand(program, command, args);
  return program;
}

function calledIn(args: readonly string[]) {
  const [name = ''] = withoutLeadingPlugins(args);
  if (name === '-V' || name === '--version') return [];
  const called = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  return called === undefined ? Object.values(COMMANDS) : [called];
}

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}
