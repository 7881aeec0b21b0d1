import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';

export interface CopyBitmapsOptions extends Io {
  /** Skips inconsistent bitmaps. Default: false, an inconsistent bitmap is an error and nothing is copied. */
  readonly skipBroken?: boolean | undefined;
}

export interface CopiedBitmaps {
  readonly copied: number;
  /** Names of the bitmaps that were skipped. Data from the image: quote them. */
  readonly skipped: readonly string[];
}

/**
 * Copies the dirty bitmaps of a disk to another disk: granularity, bits, and whether writers keep them up to date (`auto`). Call
 * it after the content is copied, because later writes to the target are recorded in its bitmaps.
 */
export async function copyBitmaps(
  source: DiskModule,
  target: DiskModule,
  options: CopyBitmapsOptions = {},
): Promise<CopiedBitmaps> {
  const { skipBroken = false, signal } = options;
  const io: Io = { signal };
  if (!can(source, 'bitmaps') || !can(source, 'bitmapExtents'))
    throw new DiskError('ERR_UNSUPPORTED', 'the format of the source has no bitmaps');
  const bitmaps = source.bitmaps();
  if (bitmaps.length === 0) checkReadable(() => source.bitmapExtents('', io));
  const broken = bitmaps.filter(({ consistent }) => !consistent).map(({ name }) => name);
  if (broken.length > 0 && !skipBroken) {
    const reason = `the bitmap ${quote(broken[0] ?? '')} is inconsistent and cannot be copied; remove it, or skip such bitmaps`;
    throw new DiskError('ERR_CORRUPT', reason);
  }
  const sound = bitmaps.filter(({ consistent }) => consistent);
  if (sound.length === 0) return { copied: 0, skipped: broken };
  if (!can(target, 'bitmapStore')) {
    const reason = 'the target has no bitmaps: its format has none, or it is not open for writing';
    throw new DiskError('ERR_UNSUPPORTED', reason);
  }
  if (target.size() < source.size()) {
    const reason = `the target has ${target.size()} bytes, the bitmaps cover ${source.size()}`;
    throw new DiskError('ERR_OUT_OF_BOUNDS', reason);
  }
  for (const { name, granularity, flags } of sound) {
    const dirty = source.bitmapExtents(name, io);
    await target.bitmapStore.add({ name, granularity, auto: flags.includes('auto'), dirty }, io);
  }
  return { copied: sound.length, skipped: broken };
}

/**
 * A disk lists no bitmaps if it cannot read them. Asking for one then throws an error with the reason. No bitmap has
 * an empty name.
 */
function checkReadable(ask: () => unknown): void {
  try {
    ask();
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'ERR_NOT_FOUND') throw error;
    if (error.cause instanceof DiskError) throw error.cause;
  }
}
