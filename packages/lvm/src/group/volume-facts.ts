import type { Json } from '@diskstack/core';
import {
  type ConfigScalar,
  type ConfigSection,
  isSection,
  optionalTextOf,
  stringsOf,
} from '../metadata/config.ts';
import type { GroupModel } from '../metadata/group-model.ts';
import { segmentType } from './visible-volumes.ts';
import type { BuiltVolume } from './volume-builder.ts';

/** The facts of a volume that its metadata contains, readable or not. `readAs` is the entry that is built. */
export function factsOf(
  group: GroupModel,
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

/** Warnings about a volume that can be read. */
export function conditionOf(built: BuiltVolume | undefined): { readonly [key: string]: Json } {
  if (built === undefined || built.warnings.length === 0) return {};
  return { ...(built.isDegraded && { degraded: true }), warnings: [...built.warnings] };
}

/** Names of the physical volumes below a volume. It follows every name in the segments, so it works for unknown types too. */
function physicalVolumesOf(group: GroupModel, name: string): readonly string[] {
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
