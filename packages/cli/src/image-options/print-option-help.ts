import { DiskError, quote } from '@diskstack/core';
import type { OpenFlags } from '../options/open-options.ts';
import { formatOf } from '../session/abilities.ts';
import { withSession } from '../session/session.ts';
import { print } from '../terminal/stdout.ts';
import { AMEND_KEYS } from './amend-options.ts';
import { CREATION_KEYS } from './creation-options.ts';
import { amendHelp, optionHelp } from './option-help.ts';

interface OptionHelpFlags extends OpenFlags {
  readonly outputFormat?: string;
}

/** Prints the list of `-o help` for create, convert, measure and amend. */
export async function printOptionHelp(
  command: string,
  operands: readonly (string | undefined)[],
  flags: OptionHelpFlags,
): Promise<void> {
  const [file] = operands;
  if (command === 'amend') {
    const format = await formatToAmend(file, flags);
    const keys = AMEND_KEYS[format];
    if (keys === undefined)
      throw new DiskError('ERR_UNSUPPORTED', `${format} images have no options that could be amended`);
    return print(amendHelp(format, keys));
  }
  const format = (command === 'create' ? flags.format : flags.outputFormat) ?? 'raw';
  const keys = CREATION_KEYS[format];
  if (keys === undefined)
    throw new DiskError('ERR_UNSUPPORTED', `writing ${quote(format)} images is not supported`);
  return print(
    optionHelp(
      format,
      keys,
      operands.some((operand) => operand !== undefined),
    ),
  );
}

async function formatToAmend(file: string | undefined, flags: OpenFlags): Promise<string> {
  if (flags.format !== undefined) return flags.format;
  if (file === undefined)
    throw new DiskError('ERR_ARGUMENT', 'amend -o help needs an image, or its format (-f)');
  return withSession(flags, async (session) => formatOf(await session.open(file, { metadataOnly: true })));
}
