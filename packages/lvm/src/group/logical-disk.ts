import {
  DiskError,
  type DiskModule,
  ExtentList,
  type LayoutContext,
  MappedDisk,
  type Mapping,
  type MappingWriter,
  type OpenContext,
  type PlacedPart,
  type Placement,
} from '@diskstack/core';
import { DeviceSpace } from '../devices/device-space.ts';
import type { Target } from '../targets/target.ts';
import { LVM2 } from '../units.ts';
import type { BuiltVolume, GroupVolumes } from './group-volumes.ts';

/** What a logical volume is opened as. */
export interface LogicalDiskOptions {
  /** `/dev/vg/lv`. */
  readonly location: string;
  /** Why writes are refused; `undefined` where they go through. */
  readonly readOnly: string | undefined;
  readonly context: LayoutContext;
}

/** A logical volume as a disk: a handle of the caller's own. */
export function logicalDisk(
  volumes: GroupVolumes,
  built: BuiltVolume,
  options: LogicalDiskOptions,
): DiskModule {
  const { location, readOnly, context } = options;
  const { target, model, devices, tables } = built;
  const space = new DeviceSpace(volumes.table, devices);
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
    downstream: space,
    context: openContext(location, space.writable && readOnly === undefined, context),
    async load() {
      for (const table of tables) await table.load();
      return mapping;
    },
  });
}

/** Bytes of a volume that can be written stay where they are. */
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

/** Where all of these bytes are. A target that can be written answers at once. */
function placement(target: Target, offset: number, length: number): Placement {
  const extents = new ExtentList();
  const parts: PlacedPart[] = [];
  let done = 0;
  while (done < length) {
    extents.clear();
    void target.translate(offset + done, length - done, extents, {});
    for (let index = 0; index < extents.count; index++) {
      const part = { offset: offset + done, length: extents.length(index), at: extents.at(index) };
      parts.push({ ...part, before: 0, after: 0 });
      done += part.length;
    }
  }
  return { length, parts };
}

/** A volume names no files, and needs no keys. */
function openContext(location: string, isWritable: boolean, { limits, logger }: LayoutContext): OpenContext {
  const never = (): never => {
    throw new DiskError('ERR_UNSUPPORTED', 'a logical volume names nothing to open');
  };
  return {
    mountMode: isWritable ? 'rw' : 'r',
    location,
    limits,
    codecs: { deflate: never, zstd: never },
    logger,
    crypto: async () => undefined,
    snapshot: undefined,
    metadataOnly: false,
    keyFor: async () => undefined,
    openDataFile: async () => never(),
    openBase: async () => never(),
  };
}
