import { DiskError, roundUp } from '@diskstack/core';
import { formatOf, requireAbility } from '../abilities.ts';
import { type Amendment, parseAmendment } from '../amend-options.ts';
import { refuseScheme } from '../image-spec/operands.ts';
import type { OpenFlags } from '../open-options.ts';
import { type Session, withSession } from '../session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { type ProgressLine, progressLine } from '../terminal/progress.ts';

export interface AmendFlags extends OpenFlags {
  readonly option?: readonly string[];
  readonly progress?: boolean;
}

const SECTOR = 512;

/** `diskstack amend -o OPTIONS IMAGE` */
export async function amend(image: string, flags: AmendFlags): Promise<void> {
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const amendment = parseAmendment(await formatNow(session, image), flags.option);
      const { size, ...features } = amendment;
      if (amendment.dataFile !== undefined) refuseScheme(amendment.dataFile, 'the data file');
      const progress = progressLine(flags.progress ?? false);
      try {
        if (size !== undefined) await resize(session, image, size, signal);
        if (Object.values(features).some((value) => value !== undefined))
          await amendFeatures(session, image, amendment, progress, signal);
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

/** As qemu-img, without asking: a smaller size loses what is past it. */
async function resize(session: Session, image: string, size: number, signal: AbortSignal): Promise<void> {
  const disk = await session.open(image, { mountMode: 'rw', signal });
  const able = requireAbility(disk, 'resize', 'other size than they have');
  await able.resize(roundUp(size, SECTOR), { shrink: true, signal });
  await session.close(disk);
}

async function amendFeatures(
  session: Session,
  image: string,
  { version, lazyRefcounts, refcountBits, dataFile, dataFileRaw }: Amendment,
  { onProgress }: ProgressLine,
  signal: AbortSignal,
): Promise<void> {
  // Version 2 needs the content of zero clusters written; all else is in the header.
  const disk = await session.open(image, { metadataOnly: version !== 2, mountMode: 'rw', signal });
  const able = requireAbility(disk, 'amend', 'features that could be amended');
  try {
    await able.amend({ version, lazyRefcounts, refcountBits, dataFile, dataFileRaw, signal, onProgress });
  } catch (error) {
    await session.close(disk).catch(() => {}); // the first failure is the one that matters
    throw error instanceof DiskError ? error.in({ layer: image }) : error;
  }
  await session.close(disk);
}
