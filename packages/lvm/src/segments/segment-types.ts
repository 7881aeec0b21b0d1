import type { SegmentType } from '../segment-type.ts';
import { cache } from './cache.ts';
import { integrity } from './integrity.ts';
import { mirror } from './mirror.ts';
import { error, pools, vdo, zero } from './plain.ts';
import { raid5, raid6 } from './raid-parity.ts';
import { raid0 } from './raid0.ts';
import { raid1 } from './raid1.ts';
import { raid10 } from './raid10.ts';
import { snapshot } from './snapshot.ts';
import { striped } from './striped.ts';
import { thin } from './thin.ts';
import { writecache } from './writecache.ts';

const ALL: readonly SegmentType[] = [
  striped,
  mirror,
  raid0,
  raid1,
  raid5,
  raid6,
  raid10,
  thin,
  snapshot,
  cache,
  writecache,
  integrity,
  zero,
  error,
  vdo,
  pools,
];

/** All segment types, by their names in the metadata text. A new type is one file, and one line above. */
export const SEGMENT_TYPES: ReadonlyMap<string, SegmentType> = new Map(
  ALL.flatMap((type) => type.names.map((name) => [name, type])),
);
