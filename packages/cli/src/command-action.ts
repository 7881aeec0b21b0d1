import type { Command } from 'commander';
import { Failure } from './failure.ts';
import type { DebugFlags } from './open-options.ts';
import { PipeClosed } from './terminal/stdout.ts';

/**
 * Adds a command to the program. `define` gives it its options and what it does, once it is called. `failed` is the exit
 * status of an error.
 */
export type Add = (
  usage: string,
  description: string,
  define: (command: Command) => void,
  failed?: number,
) => void;

/** What a command does. A failure is told with the options that the command was given. */
export function act<Flags extends DebugFlags & { untrusted?: boolean }>(
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
