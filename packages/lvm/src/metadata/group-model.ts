import { DiskError } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import {
  type ConfigScalar,
  type ConfigSection,
  isSection,
  listOf,
  numberOf,
  sectionOf,
  stringsOf,
  textOf,
} from './config.ts';

/** A volume group, decoded from its metadata text. Names are data from the disks: quote them in messages. */
export interface GroupModel {
  readonly name: string;
  readonly id: string;
  /** Incremented by every change. Of several texts, the one with the highest number is current. */
  readonly seqno: number;
  readonly status: readonly string[];
  readonly tags: readonly string[];
  /** Size of an extent in bytes. */
  readonly extentBytes: number;
  readonly physicalVolumes: ReadonlyMap<string, ConfigSection>;
  /** Not decoded yet: a damaged volume must not make the others unreadable. */
  readonly logicalVolumes: ReadonlyMap<string, ConfigSection>;
}

export interface PvModel {
  readonly name: string;
  readonly id: string;
  readonly status: readonly string[];
  /** The byte of the disk at which extent 0 starts. */
  readonly firstExtentAt: number;
  readonly extents: number;
  /** Size of the device in bytes. */
  readonly deviceSize: number;
}

export interface LvModel {
  readonly name: string;
  readonly id: string;
  readonly status: readonly string[];
  readonly tags: readonly string[];
  /** In order, without gaps. */
  readonly segments: readonly SegmentModel[];
  /** Size in extents. */
  readonly extents: number;
}

export interface SegmentModel {
  /** First extent of the logical volume that it covers. */
  readonly startExtent: number;
  readonly extents: number;
  /** The segment type, without the flags that may follow after a `+`. */
  readonly type: string;
  readonly fields: ConfigSection;
}

/** Decodes the volume group of a metadata text, which is the first section. */
export function decodeGroup(root: ConfigSection): GroupModel {
  const group = root.nodes.find(isSection);
  if (group === undefined) throw new DiskError('ERR_CORRUPT', 'the metadata text has no volume group');
  const extentBytes = numberOf(group, 'extent_size') * SECTOR;
  if (extentBytes === 0 || !Number.isSafeInteger(extentBytes))
    throw new DiskError('ERR_CORRUPT', `the volume group has extents of ${extentBytes} bytes`);
  return {
    name: group.key,
    id: textOf(group, 'id'),
    seqno: numberOf(group, 'seqno'),
    status: stringsOf(group, 'status'),
    tags: stringsOf(group, 'tags'),
    extentBytes,
    physicalVolumes: childrenOf(group, 'physical_volumes'),
    logicalVolumes: childrenOf(group, 'logical_volumes'),
  };
}

function childrenOf(group: ConfigSection, key: string): ReadonlyMap<string, ConfigSection> {
  const sections = new Map<string, ConfigSection>();
  for (const node of sectionOf(group, key)?.nodes ?? []) {
    if (isSection(node) && !sections.has(node.key)) sections.set(node.key, node);
  }
  return sections;
}

export function decodePv(section: ConfigSection): PvModel {
  return {
    name: section.key,
    id: textOf(section, 'id'),
    status: stringsOf(section, 'status'),
    firstExtentAt: numberOf(section, 'pe_start') * SECTOR,
    extents: numberOf(section, 'pe_count'),
    deviceSize: numberOf(section, 'dev_size', 0) * SECTOR,
  };
}

export function decodeLv(section: ConfigSection): LvModel {
  const segments = section.nodes
    .filter(isSection)
    .filter(({ key }) => key.startsWith('segment'))
    .map(decodeSegment)
    .sort((a, b) => a.startExtent - b.startExtent);
  const count = numberOf(section, 'segment_count', segments.length);
  if (count !== segments.length)
    throw new DiskError(
      'ERR_CORRUPT',
      `the volume has ${segments.length} segments, but segment_count is ${count}`,
    );
  let extents = 0;
  for (const { startExtent, extents: length } of segments) {
    if (startExtent !== extents)
      throw new DiskError(
        'ERR_CORRUPT',
        `a segment starts at extent ${startExtent}, but the previous one ends at ${extents}`,
      );
    extents += length;
  }
  if (extents === 0) throw new DiskError('ERR_CORRUPT', 'the logical volume has no extents');
  return {
    name: section.key,
    id: textOf(section, 'id'),
    status: stringsOf(section, 'status'),
    tags: stringsOf(section, 'tags'),
    segments,
    extents,
  };
}

function decodeSegment(fields: ConfigSection): SegmentModel {
  const [type = ''] = textOf(fields, 'type').split('+');
  return {
    startExtent: numberOf(fields, 'start_extent'),
    extents: numberOf(fields, 'extent_count'),
    type,
    fields,
  };
}

/** An area of a segment: a physical or logical volume, and the extent at which the area starts. */
export interface AreaModel {
  readonly name: string;
  readonly extent: number;
}

/** Decodes the pairs of name and extent of `stripes` and `mirrors`. */
export function areasOf(fields: ConfigSection, key: string): readonly AreaModel[] {
  const list = listOf(fields, key);
  if (list.length % 2 !== 0)
    throw new DiskError(
      'ERR_CORRUPT',
      `${key} of ${fields.key} has ${list.length} values, which are not pairs`,
    );
  const areas: AreaModel[] = [];
  for (let index = 0; index < list.length; index += 2)
    areas.push(areaOf(fields, key, list[index], list[index + 1]));
  return areas;
}

function areaOf(fields: ConfigSection, key: string, name?: ConfigScalar, extent?: ConfigScalar): AreaModel {
  const number = typeof extent === 'bigint' ? Number(extent) : -1;
  if (typeof name === 'string' && Number.isSafeInteger(number) && number >= 0)
    return { name, extent: number };
  throw new DiskError('ERR_CORRUPT', `${key} of ${fields.key} is not a list of names and extents`);
}
