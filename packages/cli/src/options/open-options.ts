import { DiskError, quote, type SnapshotChoice } from '@diskstack/core';
import { type Command, Option } from 'commander';
import { type ImageSpecs, withoutScheme } from '../image-spec/operands.ts';
import type { Secrets } from '../secrets/secrets.ts';
import { parseSnapshotChoice } from '../values/snapshot-choice.ts';

export interface OutputFlags {
  readonly output: 'human' | 'json';
}

/** Options of every command. */
export interface DebugFlags {
  readonly debug?: boolean;
}

/** Options of every command that opens a disk. */
export interface OpenFlags extends DebugFlags {
  readonly format?: string;
  readonly allowBacking?: readonly string[];
  readonly untrusted?: boolean;
  readonly volume?: readonly string[];
  readonly secret?: readonly string[];
  readonly snapshot?: SnapshotChoice;
  readonly pv?: readonly string[];
  readonly allowScheme?: readonly string[];
  readonly imageOpts?: boolean;
  readonly object?: readonly string[];
  readonly limit?: readonly string[];
  readonly maxChainDepth?: string;
  /** Images that are described in more than a path, by the operands that stand for them. */
  readonly specs?: ImageSpecs;
  /** What `secret` and `object` give, read once for the command. */
  readonly secrets?: Secrets;
  readonly forceShare?: boolean;
}

export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('--output <how>', 'for people, or for programs').choices(['human', 'json']).default('human'),
  );
}

export function withDebug(command: Command): Command {
  return command.option('--debug', 'tell what is going on, and the stack of an error');
}

export function withFormat(command: Command): Command {
  return command.option('-f, --format <format>', 'format of the image; nothing is guessed then');
}

/** The state of the image to look at. */
export function withSnapshot(command: Command): Command {
  return command.addOption(snapshotOption('--snapshot <id or name>'));
}

/** The same where qemu-img has it too, and its ways to say it. */
export function snapshotOption(flags: '--snapshot <id or name>' | '-l, --snapshot <id or name>'): Option {
  return new Option(
    flags,
    'an internal snapshot in place of the active state; also snapshot.id=ID, snapshot.name=NAME',
  ).argParser(parseSnapshotChoice);
}

/** Further disks of volume groups, for layers inside of images. */
export function withPv(command: Command): Command {
  return command.option(
    '--pv <image[#layer]>',
    'a further physical volume of the groups on the way (repeatable); a layer of an image is IMAGE#p2, IMAGE#lv:VG/LV …',
    collect,
  );
}

/** For commands that read; what is opened for writing is locked all the same. */
export function withForceShare(command: Command): Command {
  return command.option(
    '-U, --force-share',
    'read what somebody else has open for writing: the content may be of no one moment',
  );
}

/** Options that scripts for qemu-img pass, and what they would be about. */
const HABITS = {
  '-t, --cache <mode>': 'files are written through the page cache',
  '-T, --source-cache <mode>': 'files are read through the page cache',
  '-W, --out-of-order': 'writes overlap as it is',
  '-m, --parallel <count>': 'the number of pieces in flight is fixed',
} as const;

/** Takes options that have no meaning here, so that scripts need no change. The help does not tell of them. */
export function withHabits(command: Command, ...habits: (keyof typeof HABITS)[]): Command {
  for (const habit of habits) command.addOption(new Option(habit, HABITS[habit]).hideHelp());
  return command;
}

export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** `PATH=IMAGE` of every `--volume`. */
export function parseVolumes(declared: readonly string[] = []): Readonly<Record<string, string>> {
  const volumes: [string, string][] = declared.map((text) => {
    const at = text.indexOf('=');
    if (at > 0 && at < text.length - 1) return [text.slice(0, at), withoutScheme(text.slice(at + 1))];
    throw new DiskError('ERR_ARGUMENT', `--volume takes PATH=IMAGE, not ${quote(text)}`);
  });
  const paths = volumes.map(([path]) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw new DiskError('ERR_ARGUMENT', `--volume declares ${quote(twice)} twice`);
  return Object.fromEntries(volumes);
}
