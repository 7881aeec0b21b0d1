import { DiskError, type DiskModule } from '@diskstack/core';
import {
  ExtentList,
  MappedDisk,
  type Mapping,
  type MappingWriter,
  type PlacedPart,
  type Placement,
} from '@diskstack/core/format';
import type { LayoutContext } from '@diskstack/core/volumes';
import { LVM2 } from '../layout-name.ts';
import type { Source } from '../targets/sources.ts';
import type { Target } from '../targets/target.ts';
import type { GroupVolumes } from './group-volumes.ts';
import type { BuiltVolume } from './volume-builder.ts';

export interface LogicalDiskOptions {
  /** `/dev/vg/lv`. */
  readonly location: string;
  /** The reason to refuse writes; `undefined` if the volume can be written. */
  readonly readOnly: string | undefined;
  readonly context: LayoutContext;
}

/** Opens a logical volume as a disk. The caller owns it; closing it leaves the physical volumes open. */
export function logicalDisk(
  volumes: GroupVolumes,
  built: BuiltVolume,
  options: LogicalDiskOptions,
): DiskModule {
  const { location, readOnly, context } = options;
  const { target, model, sources, tables } = built;
  const mapping: Mapping = {
    size: target.size,
    info: {
      format: LVM2,
      virtualSize: target.size,
      clusterSize: volumes.group.extentBytes,
      specific: {
        type: LVM2,
        data: {
          group: volumes.group.name,
          volume: model.name,
          'segment-types': model.segments.map(({ type }) => type),
        },
      },
    },
    transparent: true,
    translate: (offset, length, extents, io) => target.translate(offset, length, extents, io),
    writer: writerOf(target, volumes.group.extentBytes, readOnly),
  };
  return new MappedDisk({
    type: 'LVM2',
    format: LVM2,
    members: membersOf(sources),
    location,
    mountMode: readOnly === undefined ? 'rw' : 'r',
    limits: context.limits,
    async load() {
      for (const table of tables) await table.load();
      return mapping;
    },
  });
}

/** The disks by the numbers that they have in the group. */
function membersOf(sources: ReadonlySet<Source>): readonly (DiskModule | undefined)[] {
  const members: (DiskModule | undefined)[] = [];
  for (const { number, disk } of sources) members[number] = disk;
  return members;
}

/** A writable volume overwrites bytes in place: it never allocates. */
function writerOf(target: Target, unit: number, readOnly: string | undefined): MappingWriter {
  const refusal = readOnly === undefined ? undefined : new DiskError('ERR_READ_ONLY', readOnly);
  return { unit, refusal, ...placesOf(target) };
}

function placesOf(target: Target): Pick<MappingWriter, 'inPlace' | 'place'> {
  return {
    inPlace: (offset, length) => placement(target, offset, length),
    place: async (offset, length) => placement(target, offset, length),
  };
}

/** The places of these bytes. Targets of writable types translate synchronously, so the result of `translate` is ignored. */
function placement(target: Target, offset: number, length: number): Placement {
  const extents = new ExtentList();
  const parts: PlacedPart[] = [];
  let done = 0;
  while (done < length) {
    extents.clear();
    void target.translate(offset + done, length - done, extents, {});
    for (let index = 0; index < extents.count; index++) {
      const length = extents.length(index);
      const place = { at: extents.at(index), source: extents.source(index) };
      parts.push({ offset: offset + done, length, ...place, before: 0, after: 0 });
      done += length;
    }
  }
  return { length, parts };
}
