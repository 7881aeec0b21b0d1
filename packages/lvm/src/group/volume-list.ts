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
import type { BuiltVolume, GroupVolumes } from './group-volumes.ts';
import { logicalDisk } from './logical-disk.ts';

/** Types whose volumes are there for others. */
const POOLS: ReadonlySet<string> = new Set(['thin-pool', 'cache-pool', 'vdo-pool']);

/** A volume that people see, and the entry of the metadata that says how it is read. */
interface Shown {
  readonly name: string;
  readonly section: ConfigSection;
  /** Another entry where a snapshot takes part: a snapshot is shown under the name of its store. */
  readonly readAs: string;
  readonly type: string;
  /** Why it takes no writes, beside its type. */
  readonly readOnly?: string;
}

/** The volumes of a group that people see, in the order of the metadata. */
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
      ? { readOnly: 'the volume has snapshots, and a write would have to save what they show' }
      : {};
    shown.push({ name, section, readAs: merging?.name ?? name, type, ...readOnly });
  }
  return shown;
}

/** The entry that ties a snapshot to its origin. */
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

/** Of the first segment. One stripe is what people call linear. */
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

/** What does not keep a volume from being read, and is to be known. */
function conditionOf(built: BuiltVolume | undefined): { readonly [key: string]: Json } {
  if (built === undefined || built.warnings.length === 0) return {};
  return { ...(built.isDegraded && { degraded: true }), warnings: [...built.warnings] };
}

function readOnlyReason({ section, readOnly }: Shown, { readOnlyType }: BuiltVolume): string | undefined {
  if (readOnlyType !== undefined) return `writing volumes of the type ${readOnlyType} is not supported`;
  if (readOnly !== undefined) return readOnly;
  return stringsOf(section, 'status').includes('WRITE')
    ? undefined
    : 'the volume is read-only by its metadata';
}

/** Bytes, as far as the metadata says. */
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

/** Names of the physical volumes that a volume is on, whatever its segments mean: everything that they name is followed. */
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
