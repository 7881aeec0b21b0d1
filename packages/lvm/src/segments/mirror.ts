import { DiskError, quote } from '@diskstack/core';
import { limitError, SECTOR } from '@diskstack/core/format';
import { decodeMirrorLog, LOG_BITS_AT, MIRROR_LOG } from '../layout/mirror-log.ts';
import { numberOf, optionalTextOf } from '../metadata/config.ts';
import { areasOf } from '../metadata/group-model.ts';
import type { SegmentContext, SegmentType } from '../segment-type.ts';
import { attempt, missing } from '../targets/attempt.ts';
import { inPieces, type Target } from '../targets/target.ts';

/**
 * lvm2 `lib/mirror/mirrored.c`: the same bytes on every leg. The first leg is always current. Another leg is current only
 * in the regions that a log on disk marks as in sync. Without such a log the kernel copies the first leg over the others
 * every time it starts the mirror, and `pvmove` fills its target in the same way.
 */
export const mirror: SegmentType = {
  names: ['mirror'],
  async open({ fields }, size, context) {
    const areas = areasOf(fields, 'mirrors');
    const legs: (Target | string)[] = [];
    for (const area of areas) legs.push(await attempt(() => context.area(area, size)));
    const reasons = legs.filter((leg) => typeof leg === 'string');
    const [first] = legs;
    if (reasons.length === legs.length) throw missing('all legs of the mirror are missing', reasons);
    const opened =
      first !== undefined && typeof first !== 'string'
        ? first
        : await otherLeg(
            legs.filter((leg) => typeof leg !== 'string'),
            { log: optionalTextOf(fields, 'mirror_log'), regionSectors: numberOf(fields, 'region_size', 0) },
            reasons,
            context,
          );
    if (reasons.length > 0) {
      const lost = `${reasons.length} of ${legs.length} legs`;
      context.degraded(
        `the mirror ${quote(context.lv.name)} is degraded: ${lost} are missing: ${reasons.join('; ')}`,
      );
    }
    return opened;
  },
};

interface LogPlace {
  readonly log: string | undefined;
  readonly regionSectors: number;
}

/** A target that reads another leg, because the first one is missing. It throws for regions that are not in sync. */
async function otherLeg(
  [leg]: readonly Target[],
  { log: logName, regionSectors }: LogPlace,
  reasons: readonly string[],
  context: SegmentContext,
): Promise<Target> {
  if (leg === undefined || logName === undefined)
    throw missing(
      'the first leg of the mirror is missing, and without a log on disk nothing proves that the others are in sync',
      reasons,
    );
  const log = await context.volume(logName);
  const regionBytes = regionSectors * SECTOR;
  if (regionBytes === 0) throw new DiskError('ERR_CORRUPT', 'the mirror has regions of 0 sectors');
  const { bits, regions } = await readBits(log, Math.ceil(leg.size / regionBytes), context);
  return {
    size: leg.size,
    translate: (offset, length, extents, io) =>
      inPieces(offset, length, extents, (at, left) => {
        const region = Math.floor(at / regionBytes);
        if (region >= regions || (((bits[region >>> 3] ?? 0) >>> (region & 7)) & 1) === 0) {
          const reason = `region ${region} of the mirror is not in sync, and the first leg is missing`;
          throw new DiskError('ERR_NOT_FOUND', reason);
        }
        return leg.translate(at, Math.min(left, (region + 1) * regionBytes - at), extents, io);
      }),
  };
}

/** Reads the bits of the log, one for each region, and its own count of regions, which is lower after the volume has grown. */
async function readBits(
  log: Target,
  regions: number,
  { reader, limits }: SegmentContext,
): Promise<{ readonly bits: Uint8Array; readonly regions: number }> {
  const length = Math.ceil(regions / 8);
  if (length > limits.maxTableBytes)
    throw limitError('maxTableBytes', limits, `the mirror log has ${length} bytes`);
  if (LOG_BITS_AT + length > log.size)
    throw new DiskError(
      'ERR_CORRUPT',
      `the mirror log has ${log.size} bytes; ${regions} regions need ${LOG_BITS_AT + length}`,
    );
  const header = new Uint8Array(MIRROR_LOG.size);
  await reader.read(log, 0, header);
  const { regions: counted } = decodeMirrorLog(header);
  const bits = new Uint8Array(length);
  await reader.read(log, LOG_BITS_AT, bits);
  return { bits, regions: counted };
}
