import {
  breathe,
  DiskError,
  type Io,
  type Json,
  type LayoutContext,
  untilAborted,
  type Volume,
} from '@diskstack/core';
import {
  type ConfigScalar,
  type ConfigSection,
  isSection,
  numberOf,
  optionalTextOf,
  stringsOf,
} from '../metadata/config.ts';
import { LVM2 } from '../units.ts';
import type { GroupVolumes } from './group-volumes.ts';
import { logicalDisk } from './logical-disk.ts';
import type { BuiltVolume } from './volume-builder.ts';

/** Segment types of pools. Their volumes hold the data of other volumes and are not listed. */
const POOLS: ReadonlySet<string> = new Set(['thin-pool', 'cache-pool', 'vdo-pool']);

/** A listed volume. */
interface Shown {
  readonly name: string;
  readonly section: ConfigSection;
  /** The metadata entry to build. It differs from `name` for a snapshot, which lvm2 lists under the name of its store. */
  readonly readAs: string;
  readonly type: string;
  /** A reason to refuse writes that does not follow from the type. */
  readonly readOnly?: string;
}

/** The visible volumes of a group, in the order of the metadata. */
export async function listVolumes(
  volumes: GroupVolumes,
  context: LayoutContext,
  io: Io,
): Promise<readonly Volume[]> {
  const listed: Volume[] = [];
  for (const shown of shownVolumes(volumes)) {
    listed.push(await describe(volumes, shown, context, io));
    const pause = breathe();
    if (pause !== undefined) await pause;
  }
  return listed;
}

function shownVolumes({ group }: GroupVolumes): readonly Shown[] {
  const links = [...group.logicalVolumes].flatMap(([name, section]) => snapshotLink(name, section) ?? []);
  const stores = new Map(links.map((link) => [link.store, link]));
  const origins = new Map(links.map((link) => [link.origin, link]));
  const mergingInto = new Map(links.filter(({ isMerging }) => isMerging).map((link) => [link.origin, link]));
  const shown: Shown[] = [];
  for (const [name, section] of group.logicalVolumes) {
    const type = typeOf(section);
    const link = stores.get(name);
    if (link?.isMerging) continue;
    if (link !== undefined) {
      shown.push({ name, section, readAs: link.name, type: 'snapshot' });
      continue;
    }
    if (!stringsOf(section, 'status').includes('VISIBLE') || type === 'snapshot' || POOLS.has(type)) continue;
    const merging = mergingInto.get(name);
    const readOnly = origins.has(name)
      ? { readOnly: 'the volume has snapshots, and a write would have to copy the old data to their stores' }
      : {};
    shown.push({ name, section, readAs: merging?.name ?? name, type, ...readOnly });
  }
  return shown;
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

function segmentType(segment: ConfigSection): string {
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

async function describe(
  volumes: GroupVolumes,
  shown: Shown,
  context: LayoutContext,
  { signal }: Io,
): Promise<Volume> {
  const { name, section, readAs, type } = shown;
  const { group } = volumes;
  let problem: DiskError | undefined;
  let made: BuiltVolume | undefined;
  try {
    made = await untilAborted(volumes.built(readAs), signal);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
    problem = error;
  }
  const open: Volume['open'] = async (io = {}) => {
    if (io.copies !== 'first') volumes.refuseCopies(made);
    const built = await untilAborted(volumes.built(readAs), io.signal).catch((error: unknown) => {
      throw error instanceof DiskError ? error.in({ format: LVM2, layer: `${group.name}/${name}` }) : error;
    });
    const location = `/dev/${group.name}/${name}`;
    const disk = logicalDisk(volumes, built, { location, readOnly: readOnlyReason(shown, built), context });
    await disk.init(io);
    return disk;
  };
  return {
    kind: 'lv',
    layer: `lv:${group.name}/${name}`,
    type,
    name,
    size: made?.target.size ?? sizeOf(volumes, readAs),
    status: problem === undefined ? 'ok' : problem.code === 'ERR_UNSUPPORTED' ? 'unsupported' : 'error',
    reason: problem?.reason,
    facts: { ...factsOf(volumes, section, readAs), ...conditionOf(made) },
    copies: made === undefined ? [] : volumes.copiesBelow(made),
    open,
  };
}

/** Warnings about a volume that can be read. */
function conditionOf(built: BuiltVolume | undefined): { readonly [key: string]: Json } {
  if (built === undefined || built.warnings.length === 0) return {};
  return { ...(built.isDegraded && { degraded: true }), warnings: [...built.warnings] };
}

function readOnlyReason({ section, readOnly }: Shown, { readOnlyType }: BuiltVolume): string | undefined {
  if (readOnlyType !== undefined) return `writing volumes of the type ${readOnlyType} is not supported`;
  if (readOnly !== undefined) return readOnly;
  return stringsOf(section, 'status').includes('WRITE')
    ? undefined
    : 'the metadata marks the volume as read-only';
}

/** The size in bytes from the metadata, for a volume that could not be built; 0 if the metadata is damaged too. */
function sizeOf(volumes: GroupVolumes, name: string): number {
  try {
    const size = volumes.model(name).extents * volumes.group.extentBytes;
    return Number.isSafeInteger(size) ? size : 0;
  } catch {
    return 0;
  }
}

function factsOf(
  { group }: GroupVolumes,
  section: ConfigSection,
  readAs: string,
): { readonly [key: string]: Json } {
  const tags = stringsOf(section, 'tags');
  const segments = section.nodes.filter(isSection);
  return {
    uuid: optionalTextOf(section, 'id') ?? '',
    segments: segments.length,
    segmentTypes: [...new Set(segments.map(segmentType))],
    pvs: physicalVolumesOf(group, readAs),
    ...(tags.length > 0 && { tags: [...tags] }),
  };
}

/** Names of the physical volumes below a volume. It follows every name in the segments, so it works for unknown types too. */
function physicalVolumesOf(group: GroupVolumes['group'], name: string): readonly string[] {
  const seen = new Set<string>([name]);
  const found = new Set<string>();
  const waiting = [name];
  const see = (value: ConfigScalar): void => {
    if (typeof value !== 'string') return;
    if (group.physicalVolumes.has(value)) found.add(value);
    else if (group.logicalVolumes.has(value) && !seen.has(value)) {
      seen.add(value);
      waiting.push(value);
    }
  };
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const segment of group.logicalVolumes.get(next)?.nodes.filter(isSection) ?? []) {
      for (const node of segment.nodes) {
        if (isSection(node)) continue;
        if (typeof node.value === 'object') node.value.forEach(see);
        else see(node.value);
      }
    }
  }
  return [...found].sort();
}
