import { type AmendOptions, DiskError, type KeySlotChange, quote } from '@diskstack/core';
import { roundUp, SECTOR } from '@diskstack/core/format';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { type KeySlotOptions, parseAmendment } from '../image-options/amend-options.ts';
import { refuseScheme } from '../image-spec/operands.ts';
import { formatOption, type OpenFlags } from '../options/open-options.ts';
import { quietWithoutEffect, withQemuCompat } from '../options/qemu-compat.ts';
import { repeatable } from '../options/repeatable.ts';
import { progressOption } from '../options/report-options.ts';
import { formatOf, requireAbility } from '../session/abilities.ts';
import { type Session, withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { type ProgressLine, progressLine } from '../terminal/progress.ts';

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
      const amendment = parseAmendment(await formatNow(session, image), flags.option);
      const { size, keySlots: slots, ...features } = amendment;
      const keySlots = slots === undefined ? undefined : await keySlotChange(slots, image, flags);
      if (amendment.dataFile !== undefined) refuseScheme(amendment.dataFile, 'the data file');
      const progress = progressLine(flags.progress ?? false);
      try {
        const changes = { ...features, keySlots };
        const hasFeatures = Object.values(changes).some((value) => value !== undefined);
        if (size !== undefined) {
          if (hasFeatures)
            await amendFeatures(session, image, { ...changes, dryRun: true }, progress, signal);
          await resize(session, image, size, signal);
        }
        if (hasFeatures) await amendFeatures(session, image, changes, progress, signal);
      } finally {
        progress.clear();
      }
    }),
  );
}

async function formatNow(session: Session, image: string): Promise<string> {
  const disk = await session.open(image, { metadataOnly: true });
  const format = formatOf(disk);
  await session.close(disk);
  return format;
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
  changes: AmendOptions,
  { onProgress }: ProgressLine,
  signal: AbortSignal,
): Promise<void> {
  // For version 2 zero clusters are written as data, so the chain is opened. Other changes concern the header only.
  const disk = await session.open(image, { metadataOnly: changes.version !== 2, mountMode: 'rw', signal });
  const able = requireAbility(disk, 'amend', 'features that could be amended');
  try {
    await able.amend({ ...changes, signal, onProgress });
  } catch (error) {
    await session.close(disk).catch(() => {}); // the first error is the one to report
    throw error instanceof DiskError ? error.in({ layer: image }) : error;
  }
  await session.close(disk);
}

/** The change, with the passphrases from the secrets of the command. */
async function keySlotChange(
  { state, slot, oldSecret, newSecret, iterTime }: KeySlotOptions,
  image: string,
  { secrets, force }: AmendFlags,
): Promise<KeySlotChange> {
  const named = async (id: string): Promise<Uint8Array> => {
    const key = await secrets?.named(id);
    if (key !== undefined) return key;
    throw new DiskError(
      'ERR_ARGUMENT',
      `no secret has the id ${quote(id)}; give one with --object secret,id=…`,
    );
  };
  // To erase a slot, its number or its passphrase must be given. To set one, any passphrase of the image will do.
  const own = state === 'active' ? await secrets?.keyFor({ location: image, kind: 'luks' }) : undefined;
  return {
    state,
    slot,
    passphrase: oldSecret === undefined ? own : await named(oldSecret),
    newPassphrase: newSecret === undefined ? undefined : await named(newSecret),
    iterTime,
    force,
    crypto: (await import('@diskstack/crypto/node')).nodePrimitives,
  };
}
