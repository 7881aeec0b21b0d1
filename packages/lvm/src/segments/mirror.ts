import { DiskError } from '@diskstack/core';
import { decodeMirrorLog, LOG_BITS_AT, MIRROR_LOG } from '../layout/mirror-log.ts';
import { numberOf, optionalTextOf } from '../metadata/config.ts';
import { areasOf } from '../metadata/group-model.ts';
import { inPieces, type Target } from '../targets/target.ts';
import { SECTOR } from '../units.ts';
import { attempt, missing } from './attempt.ts';
import type { SegmentContext, SegmentType } from './segment-type.ts';

/**
 * lvm2 `lib/mirror/mirrored.c`: the same bytes on every leg. The first leg is always right; the others are where the log
 * says so, and all over where there is no log but the volume is said to be in sync.
 */
export const mirror: SegmentType = {
  names: ['mirror'],
  async open({ fields }, size, context) {
    const areas = areasOf(fields, 'mirrors');
    const reasons: string[] = [];
    for (const [leg, area] of areas.entries()) {
      const target = await attempt(() => context.area(area, size));
      if (typeof target === 'string') reasons.push(target);
      else if (leg === 0) return target;
      else
        return await otherLeg(
          target,
          optionalTextOf(fields, 'mirror_log'),
          numberOf(fields, 'region_size', 0),
          context,
        );
    }
    throw missing('no leg of the mirror is left', reasons);
  },
};

/** A leg that is read because the first one is missing. */
async function otherLeg(
  leg: Target,
  logName: string | undefined,
  regionSectors: number,
  context: SegmentContext,
): Promise<Target> {
  if (logName === undefined) {
    if (!context.lv.status.includes('NOTSYNCED')) return leg;
    throw new DiskError(
      'ERR_NOT_FOUND',
      'the first leg of the mirror is missing, and the others are not in sync',
    );
  }
  const log = await context.volume(logName);
  const regionBytes = regionSectors * SECTOR;
  if (regionBytes === 0) throw new DiskError('ERR_CORRUPT', 'a mirror log with regions of 0 sectors');
  const bits = await readBits(log, Math.ceil(leg.size / regionBytes), context);
  return {
    size: leg.size,
    translate: (offset, length, extents, io) =>
      inPieces(offset, length, extents, (at, left) => {
        const region = Math.floor(at / regionBytes);
        if ((((bits[region >>> 3] ?? 0) >>> (region & 7)) & 1) === 0) {
          const reason = `region ${region} of the mirror is out of sync, and its first leg is missing`;
          throw new DiskError('ERR_NOT_FOUND', reason);
        }
        return leg.translate(at, Math.min(left, (region + 1) * regionBytes - at), extents, io);
      }),
  };
}

async function readBits(
  log: Target,
  regions: number,
  { reader, limits }: SegmentContext,
): Promise<Uint8Array> {
  const length = Math.ceil(regions / 8);
  if (length > limits.maxTableBytes) {
    const reason = `a mirror log of ${length} bytes, maxTableBytes allows ${limits.maxTableBytes}`;
    throw new DiskError('ERR_LIMIT', reason);
  }
  if (LOG_BITS_AT + length > log.size)
    throw new DiskError('ERR_CORRUPT', `a mirror log of ${log.size} bytes for ${regions} regions`);
  const header = new Uint8Array(MIRROR_LOG.size);
  await reader.read(log, 0, header);
  decodeMirrorLog(header);
  const bits = new Uint8Array(length);
  await reader.read(log, LOG_BITS_AT, bits);
  return bits;
}
