import { DiskError, type DiskModule, quote, rebase as rebaseDisk } from '@diskstack/core';
import { fileIdentity } from '@diskstack/core/node';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { refuseScheme } from '../image-spec/operands.ts';
import { filesOf } from '../new-image/same-file.ts';
import { forceShareOption, formatOption, type OpenFlags } from '../options/open-options.ts';
import { quietWithoutEffect, withQemuCompat } from '../options/qemu-compat.ts';
import { progressOption } from '../options/report-options.ts';
import { requireAbility } from '../session/abilities.ts';
import { backingLocation, chainOf, type Session, withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { progressLine } from '../terminal/progress.ts';

interface RebaseFlags extends OpenFlags {
  readonly backing: string;
  readonly backingFormat?: string;
  readonly unsafe?: boolean;
  readonly compress?: boolean;
  readonly progress?: boolean;
}

export const command = defineCommand<RebaseFlags>({
  name: 'rebase',
  operands: '<image>',
  summary: 'change the backing image of an overlay; its content stays the same',
  options: [
    new Option('-b, --backing <file>', 'the new backing image; "" for none').makeOptionMandatory(),
    new Option('-F, --backing-format <format>', 'format of the new backing image'),
    new Option('-u, --unsafe', 'change only the name; the content of the overlay changes with it'),
    new Option('-c, --compress', 'compress the clusters that are copied into the overlay'),
    progressOption(),
    quietWithoutEffect(),
    forceShareOption(),
    ...withQemuCompat('-t, --cache <mode>', '-T, --source-cache <mode>'),
    formatOption(),
  ],
  notes: 'If the command is interrupted, the overlay keeps its old backing image and reads as before.',
  qemuNames: { '-B': '-F', '--backing-cache': '-T', '--backing-unsafe': '-u' },
  run: rebase,
});

const WHAT = 'backing file that could be changed';

/** `diskstack rebase -b BASE IMAGE`; an empty BASE is none. */
async function rebase(flags: RebaseFlags, image: string): Promise<void> {
  const { backing: name, backingFormat: format } = flags;
  if (name === '' && format !== undefined)
    throw new DiskError('ERR_ARGUMENT', 'the format of a backing file is given, and no backing file');
  if (name !== '' && format === undefined)
    throw new DiskError('ERR_ARGUMENT', 'the backing file is given without its format; add -F FORMAT');
  if (flags.compress && flags.unsafe)
    throw new DiskError('ERR_ARGUMENT', '-c compresses copied clusters, and -u copies none');
  if (name !== '') refuseScheme(name, 'the backing file', flags.allowScheme);
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      if (flags.unsafe) {
        const disk = await session.open(image, { metadataOnly: true, mountMode: 'rw', signal });
        const able = requireAbility(disk, 'changeBacking', WHAT);
        await able.changeBacking(name === '' ? undefined : { name, format }, { signal });
        return session.close(disk);
      }
      const base = name === '' ? undefined : await openBase(session, image, name, format, signal);
      const disk = await session.open(image, { mountMode: 'rw', signal });
      requireAbility(disk, 'changeBacking', WHAT);
      if (flags.compress) requireAbility(disk, 'writeCompressed', 'compressed clusters');
      const progress = progressLine(flags.progress ?? false);
      try {
        const { onProgress } = progress;
        await rebaseDisk(disk, base && { name, format, disk: base }, {
          compress: flags.compress,
          signal,
          onProgress,
        });
        await session.close(disk);
      } finally {
        progress.clear();
      }
    }),
  );
}

/** Opens the new base. It may be any file: the command line names it. The gate judges the chain below it. */
async function openBase(
  session: Session,
  image: string,
  name: string,
  format: string | undefined,
  signal: AbortSignal,
): Promise<DiskModule> {
  const path = backingLocation(session, name, image);
  const base = await session.open(path, { format, snapshot: undefined, signal });
  const own = fileIdentity(image);
  for (const file of chainOf(base).flatMap(filesOf)) {
    if (own !== undefined && fileIdentity(file) === own)
      throw new DiskError(
        'ERR_BACKING_LOOP',
        `the image would be its own backing file, through ${quote(file)}`,
      );
  }
  return base;
}
