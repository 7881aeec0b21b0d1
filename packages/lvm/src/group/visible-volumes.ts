import { type ConfigSection, isSection, numberOf, optionalTextOf, stringsOf } from '../metadata/config.ts';
import type { GroupModel } from '../metadata/group-model.ts';

/** Segment types of pools. Their volumes hold the data of other volumes and are not listed. */
const POOLS: ReadonlySet<string> = new Set(['thin-pool', 'cache-pool', 'vdo-pool']);

/** A volume that lvm2 lists, and how it is read. */
export interface VisibleVolume {
  readonly name: string;
  readonly section: ConfigSection;
  /** The metadata entry to build. It differs from `name` for a snapshot, which lvm2 lists under the name of its store. */
  readonly readAs: string;
  readonly type: string;
  /** A reason to refuse writes that does not follow from the type. */
  readonly readOnly?: string;
}

/** The visible volumes of a group, in the order of the metadata. */
export function visibleVolumes(group: GroupModel): readonly VisibleVolume[] {
  const links = [...group.logicalVolumes].flatMap(([name, section]) => snapshotLink(name, section) ?? []);
  const stores = new Map(links.map((link) => [link.store, link]));
  const origins = new Map(links.map((link) => [link.origin, link]));
  const mergingInto = new Map(links.filter(({ isMerging }) => isMerging).map((link) => [link.origin, link]));
  const visible: VisibleVolume[] = [];
  for (const [name, section] of group.logicalVolumes) {
    const type = typeOf(section);
    const link = stores.get(name);
    if (link?.isMerging) continue;
    if (link !== undefined) {
      visible.push({ name, section, readAs: link.name, type: 'snapshot' });
      continue;
    }
    if (!stringsOf(section, 'status').includes('VISIBLE') || type === 'snapshot' || POOLS.has(type)) continue;
    const merging = mergingInto.get(name);
    const readOnly = origins.has(name)
      ? { readOnly: 'the volume has snapshots, and a write would have to copy the old data to their stores' }
      : {};
    visible.push({ name, section, readAs: merging?.name ?? name, type, ...readOnly });
  }
  return visible;
}

/** The hidden volume of type `snapshot` that connects an origin with the store of its snapshot. */
function snapshotLink(name: string, section: ConfigSection) {
  const segment = firstSegment(section);
  if (segment === undefined || segmentType(segment) !== 'snapshot') return undefined;
  const merging = optionalTextOf(segment, 'merging_store');
  return {
    name,
    origin: optionalTextOf(segment, 'origin'),
    store: merging ?? optionalTextOf(segment, 'cow_store'),
    isMerging: merging !== undefined,
  };
}

function firstSegment(section: ConfigSection): ConfigSection | undefined {
  return section.nodes.filter(isSection).find(({ key }) => key === 'segment1');
}

/** The type of a segment, without the flags that may follow after a `+`. */
export function segmentType(segment: ConfigSection): string {
  return (optionalTextOf(segment, 'type') ?? '').split('+')[0] ?? '';
}

/** The type of the first segment. lvm2 calls `striped` with one stripe `linear`. */
function typeOf(section: ConfigSection): string {
  const segment = firstSegment(section);
  if (segment === undefined) return 'unknown';
  const type = segmentType(segment);
  return type === 'striped' && optionalNumber(segment, 'stripe_count') === 1 ? 'linear' : type;
}

function optionalNumber(section: ConfigSection, key: string): number | undefined {
  try {
    return numberOf(section, key);
  } catch {
    return undefined;
  }
}
