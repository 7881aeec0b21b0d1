import { DiskError } from '@diskstack/core';
import type { OpenFlags } from '../options/open-options.ts';
import { formatOf } from '../session/abilities.ts';
import { type Session, withSession } from '../session/session.ts';
import { print } from '../terminal/stdout.ts';
import { amendmentOf } from './amend-options.ts';
import { creatable } from './creation-options.ts';
import { fileOptionsOf } from './file-options.ts';
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
  await withSession(flags, async (session) => {
    if (command === 'amend') {
      const name = flags.format ?? (await formatOfImage(session, file));
      return print(amendHelp(name, amendmentOf(session.disks.registry.named(name)).options));
    }
    const name = (command === 'create' ? flags.format : flags.outputFormat) ?? 'raw';
    const { creation } = creatable(session.disks, name);
    const hasFile = operands.some((operand) => operand !== undefined);
    return print(optionHelp(name, creation.options, hasFile ? fileOptionsOf(creation) : undefined));
  });
}

async function formatOfImage(session: Session, file: string | undefined): Promise<string> {
  if (file === undefined)
    throw new DiskError('ERR_ARGUMENT', 'amend -o help needs an image, or its format (-f)');
  return formatOf(await session.open(file, { metadataOnly: true }));
}
