import { DiskError } from '@diskstack/core';
import { SECTOR } from '../units.ts';
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

/** A volume group, as its metadata text has it. Names are data from the disks: quote them. */
export interface GroupModel {
  readonly name: string;
  readonly id: string;
  /** Counts up with every change: of several texts the highest is the current one. */
  readonly seqno: number;
  readonly status: readonly string[];
  readonly tags: readonly string[];
  /** Bytes. */
  readonly extentBytes: number;
  readonly physicalVolumes: ReadonlyMap<string, ConfigSection>;
  /** What they say is judged for each by itself: one that makes no sense spoils no other. */
  readonly logicalVolumes: ReadonlyMap<string, ConfigSection>;
}

export interface PvModel {
  readonly name: string;
  readonly id: string;
  readonly status: readonly string[];
  /** Byte of the disk where extent 0 begins. */
  readonly firstExtentAt: number;
  readonly extents: number;
  /** Bytes. */
  readonly deviceSize: number;
}

export interface LvModel {
  readonly name: string;
  readonly id: string;
  readonly status: readonly string[];
  readonly tags: readonly string[];
  /** In order, without gaps. */
  readonly segments: readonly SegmentModel[];
  /** Extents. */
  readonly extents: number;
}

export interface SegmentModel {
  /** Of the logical volume. */
  readonly startExtent: number;
  readonly extents: number;
  /** Without the flags that may follow it after a `+`. */
  readonly type: string;
  readonly fields: ConfigSection;
}

/** The volume group in a metadata text: its first section. */
export function decodeGroup(root: ConfigSection): GroupModel {
  const group = root.nodes.find(isSection);
  if (group === undefined) throw new DiskError('ERR_CORRUPT', 'metadata text without a volume group');
  const extentBytes = numberOf(group, 'extent_size') * SECTOR;
  if (extentBytes === 0 || !Number.isSafeInteger(extentBytes))
    throw new DiskError('ERR_CORRUPT', `a volume group with extents of ${extentBytes} bytes`);
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
    throw new DiskError('ERR_CORRUPT', `${segments.length} segments, segment_count says ${count}`);
  let extents = 0;
  for (const { startExtent, extents: length } of segments) {
    if (startExtent !== extents)
      throw new DiskError(
        'ERR_CORRUPT',
        `a segment begins at extent ${startExtent}, the one before ends at ${extents}`,
      );
    extents += length;
  }
  if (extents === 0) throw new DiskError('ERR_CORRUPT', 'a logical volume without extents');
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

/** A place that a segment names: a PV or another LV, from an extent on. */
export interface AreaModel {
  readonly name: string;
  readonly extent: number;
}

/** The pairs of name and extent of `stripes` and `mirrors`. */
export function areasOf(fields: ConfigSection, key: string): readonly AreaModel[] {
  const list = listOf(fields, key);
  if (list.length % 2 !== 0)
    throw new DiskError('ERR_CORRUPT', `${key} of ${fields.key}: ${list.length} values, not pairs`);
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
