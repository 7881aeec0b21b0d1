import { DiskError } from '@diskstack/core';
import type { Command } from 'commander';
import { readOperands } from '../image-spec/operands.ts';
import type { DebugFlags, OpenFlags } from '../options/open-options.ts';
import { Secrets } from '../secrets/secrets.ts';
import { Failure } from '../terminal/failure.ts';
import { PipeClosed } from '../terminal/stdout.ts';

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

/** What a command does. Its operands arrive as paths; a failure is reported with the options of the command. */
export function act<Flags extends DebugFlags & { untrusted?: boolean }>(
  command: Command,
  work: (flags: Flags, ...operands: [string, string, string]) => Promise<void>,
  failed?: number,
): void {
  command.action(async () => {
    const given = command.opts<Flags & OpenFlags>();
    try {
      const { paths, specs } = readOperands(command, given.imageOpts ?? false);
      if (given.imageOpts && given.format !== undefined && command.getOptionValueSource('format') === 'cli')
        throw new DiskError(
          'ERR_ARGUMENT',
          '--image-opts has the format as driver=…; --format is not given with it',
        );
      const flags = { ...given, specs, secrets: new Secrets(given.secret, given.object) };
      await work(flags, ...(paths as [string, string, string])); // as many as `usage` declares; optional ones may be missing
    } catch (error) {
      if (error instanceof PipeClosed) throw error;
      const { debug, untrusted } = given;
      if (error instanceof Failure)
        throw new Failure(error.cause, { debug, untrusted, status: error.status });
      throw new Failure(error, { debug, untrusted, status: failed });
    }
  });
}
