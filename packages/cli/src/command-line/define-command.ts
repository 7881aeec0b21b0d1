import type { Command, Option } from 'commander';
import type { DebugFlags } from '../options/report-options.ts';

/** One command: what it takes, what its help says, and what it does. Each has a file in `commands/`. */
export interface CommandDefinition<Flags extends DebugFlags = DebugFlags> {
  readonly name: string;
  /** The operands, as commander writes them: `<image> [size]`. */
  readonly operands?: string;
  /** The usage line of the help. Default: `[options]` and the operands. */
  readonly usage?: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** The options, in the order of the help. The options of every command follow. */
  readonly options: readonly Option[];
  /** Text below the options. */
  readonly notes?: string;
  /** Further names that qemu-img 10.1 has for options, by the option that they mean: `{ '--drop': '-d' }`. */
  readonly qemuNames?: Readonly<Record<string, string>>;
  /** Exit status of an error. Default: 1 */
  readonly failureStatus?: number;
  /** Whether the options of images are taken (`--secret`, `--limit` …). Default: true */
  readonly opensImages?: boolean;
  /** What commander needs to know beyond the options. */
  configure?(command: Command): void;
  /** The work. Operands that are images arrive as paths. Optional operands may be missing. */
  run(this: void, flags: Flags, ...operands: string[]): Promise<void>;
}

/** Checks the types of a definition against its flags. */
export function defineCommand<Flags extends DebugFlags>(
  definition: CommandDefinition<Flags>,
): CommandDefinition<Flags> {
  return definition;
}
