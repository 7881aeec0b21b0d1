import { DiskError } from '@diskstack/core';
import type { Command } from 'commander';
import { asksForOptionHelp } from '../image-options/option-help.ts';
import { readOperands } from '../image-spec/operands.ts';
import type { OpenFlags } from '../options/open-options.ts';
import { pluginOption } from '../options/plugin-option.ts';
import { debugOption } from '../options/report-options.ts';
import { addSources } from '../options/source-options.ts';
import { Secrets } from '../secrets/secrets.ts';
import { Failure } from '../terminal/failure.ts';
import { PipeClosed } from '../terminal/stdout.ts';
import type { CommandDefinition } from './define-command.ts';
import { addQemuNames } from './qemu-names.ts';

type Run = CommandDefinition<OpenFlags>['run'];

/** Adds a command to the program. `args` is the whole command line. */
export function makeCommand(program: Command, definition: CommandDefinition, args: readonly string[]): void {
  const { name, operands, usage, summary, options, notes, qemuNames = {} } = definition;
  const { failureStatus = 1, opensImages = true } = definition;
  const command = program.command(operands === undefined ? name : `${name} ${operands}`).description(summary);
  command.exitOverride((error) => {
    throw new Failure(error, { status: failureStatus });
  });
  if (usage !== undefined) command.usage(usage);
  for (const option of [...options, debugOption()]) command.addOption(option);
  if (opensImages) addSources(command);
  command.addOption(pluginOption());
  if (notes !== undefined) command.addHelpText('after', `\n${notes}`);
  addQemuNames(command, qemuNames);
  definition.configure?.(command);
  const run: Run = asksForOptionHelp(args) ? optionHelpInstead(command, definition.run) : definition.run;
  command.action(() => act(command, run, failureStatus));
}

/** `-o help` lists the options of a format instead of doing the work. It needs no operands. */
function optionHelpInstead(command: Command, run: Run): Run {
  if (!command.options.some(({ long }) => long === '--option')) return run;
  for (const argument of command.registeredArguments) argument.required = false;
  return async (flags, ...operands) =>
    (await import('../image-options/print-option-help.ts')).printOptionHelp(command.name(), operands, flags);
}

/** Runs a command. A failure is reported as the options of the command ask. */
async function act(command: Command, run: Run, failureStatus: number): Promise<void> {
  const given = command.optsWithGlobals<OpenFlags>();
  try {
    const { paths, specs } = readOperands(command, given.imageOpts ?? false);
    if (given.imageOpts && given.format !== undefined && command.getOptionValueSource('format') === 'cli')
      throw new DiskError(
        'ERR_ARGUMENT',
        '--image-opts has the format as driver=…; do not give --format with it',
      );
    await run({ ...given, specs, secrets: new Secrets(given.secret, given.object) }, ...paths);
  } catch (error) {
    if (error instanceof PipeClosed) throw error;
    const { debug, untrusted } = given;
    if (error instanceof Failure) throw new Failure(error.cause, { debug, untrusted, status: error.status });
    throw new Failure(error, { debug, untrusted, status: failureStatus });
  }
}
