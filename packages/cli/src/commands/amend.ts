import { type AmendOptions, DiskError } from '@diskstack/core';
import { type DiskFormat, roundUp, SECTOR } from '@diskstack/core/format';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { type Amendment, parseAmendment } from '../image-options/amend-options.ts';
import { formatOption, type OpenFlags } from '../options/open-options.ts';
import { quietWithoutEffect, withQemuCompat } from '../options/qemu-compat.ts';
import { repeatable } from '../options/repeatable.ts';
import { progressOption } from '../options/report-options.ts';
import { formatOf, requireAbility } from '../session/abilities.ts';
import { type Session, withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { progressLine } from '../terminal/progress.ts';

interface AmendFlags extends OpenFlags {
  readonly option?: readonly string[];
  readonly progress?: boolean;
  readonly force?: boolean;
}

export const command = defineCommand<AmendFlags>({
  name: 'amend',
  operands: '<image>',
  summary: 'change features of an image: its version, refcounts, data file',
  options: [
    repeatable('-o, --option <key=value,…>', 'the features to change; -o help lists them (repeatable)'),
    progressOption(),
    quietWithoutEffect(),
    new Option(
      '--force',
      'allow key slot changes that lose a key: overwrite an active slot, erase the last one',
    ),
    ...withQemuCompat('-t, --cache <mode>'),
    formatOption(),
  ],
  qemuNames: { '--options': '-o' },
  run: amend,
});

/** `diskstack amend -o OPTIONS IMAGE` */
async function amend(flags: AmendFlags, image: string): Promise<void> {
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const format = await formatNow(session, image);
      const amendment = await parseAmendment(format, flags.option, flags.secrets);
      const { size, values } = amendment;
      const hasFeatures = Object.keys(values).length > 0;
      const progress = progressLine(flags.progress ?? false);
      try {
        const options = { options: values, force: flags.force, signal, onProgress: progress.onProgress };
        if (size !== undefined) {
          if (hasFeatures) await amendFeatures(session, image, amendment, { ...options, dryRun: true });
          await resize(session, image, size, signal);
        }
        if (hasFeatures) await amendFeatures(session, image, amendment, options);
      } finally {
        progress.clear();
      }
    }),
  );
}

async function formatNow(session: Session, image: string): Promise<DiskFormat> {
  const disk = await session.open(image, { metadataOnly: true });
  const format = formatOf(disk);
  await session.close(disk);
  return session.disks.registry.named(format);
}

/** Resizes as qemu-img does, without asking: a smaller size loses the data past it. */
async function resize(session: Session, image: string, size: number, signal: AbortSignal): Promise<void> {
  const disk = await session.open(image, { mountMode: 'rw', signal });
  const able = requireAbility(disk, 'resize', 'way to be resized');
  await able.resize(roundUp(size, SECTOR), { shrink: true, signal });
  await session.close(disk);
}

async function amendFeatures(
  session: Session,
  image: string,
  { needsContent }: Amendment,
  options: AmendOptions,
): Promise<void> {
  const { signal } = options;
  const disk = await session.open(image, { metadataOnly: !needsContent, mountMode: 'rw', signal });
  const able = requireAbility(disk, 'amend', 'features that could be amended');
  try {
    await able.amend(options);
  } catch (error) {
    await session.close(disk).catch(() => {}); // the first error is the one to report
    throw error instanceof DiskError ? error.in({ layer: image }) : error;
  }
  await session.close(disk);
}
