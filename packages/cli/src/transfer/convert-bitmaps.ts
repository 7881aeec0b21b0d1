import { can, copyBitmaps, DiskError, type DiskModule, quote } from '@diskstack/core';
import { formatOf } from '../session/abilities.ts';
import { say } from '../terminal/stderr.ts';
import type { CopyFlags } from './copy-job.ts';

/** Refuses `--bitmaps` for an image without bitmaps, or with an inconsistent one. Called before anything is copied. */
export function requireBitmapSource(
  [image]: readonly DiskModule[],
  { skipBrokenBitmaps = false }: CopyFlags,
): void {
  if (image === undefined || !can(image, 'bitmaps'))
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `${image === undefined ? 'the' : formatOf(image)} images have no bitmaps to copy`,
    );
  const broken = image.bitmaps().find(({ consistent }) => !consistent);
  if (broken === undefined || skipBrokenBitmaps) return;
  throw new DiskError(
    'ERR_CORRUPT',
    `the bitmap ${quote(broken.name)} was not saved when its writer ended; --skip-broken-bitmaps leaves it out`,
  );
}

/** Refuses an output that cannot keep bitmaps. */
export function requireBitmapTarget(target: DiskModule): void {
  if (!can(target, 'bitmapStore'))
    throw new DiskError('ERR_UNSUPPORTED', `${formatOf(target)} images of this version have no bitmaps`);
}

/** Copies the bitmaps of the source into the output, after its content. Warns of each bitmap that is left out. */
export async function copyBitmapsTo(
  [image]: readonly DiskModule[],
  target: DiskModule,
  { skipBrokenBitmaps: skipBroken }: CopyFlags,
  signal: AbortSignal,
): Promise<void> {
  if (image === undefined) return;
  const { skipped } = await copyBitmaps(image, target, { skipBroken, signal });
  for (const name of skipped) say(`warning: the inconsistent bitmap ${quote(name)} is left out`);
}
