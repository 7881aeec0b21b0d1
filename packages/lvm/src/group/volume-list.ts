import { DiskError, type Io } from '@diskstack/core';
import { breathe, untilAborted } from '@diskstack/core/format';
import type { LayoutContext, Volume } from '@diskstack/core/volumes';
import { LVM2 } from '../layout-name.ts';
import { stringsOf } from '../metadata/config.ts';
import type { GroupVolumes } from './group-volumes.ts';
import { logicalDisk } from './logical-disk.ts';
import { type VisibleVolume, visibleVolumes } from './visible-volumes.ts';
import type { BuiltVolume } from './volume-builder.ts';
import { conditionOf, factsOf } from './volume-facts.ts';

/** Lists the visible volumes of a group, with their status. Building each one is what shows whether it can be read. */
export async function listVolumes(
  volumes: GroupVolumes,
  context: LayoutContext,
  io: Io,
): Promise<readonly Volume[]> {
  const listed: Volume[] = [];
  for (const visible of visibleVolumes(volumes.group)) {
    listed.push(await describe(volumes, visible, context, io));
    const pause = breathe();
    if (pause !== undefined) await pause;
  }
  return listed;
}

async function describe(
  volumes: GroupVolumes,
  visible: VisibleVolume,
  context: LayoutContext,
  { signal }: Io,
): Promise<Volume> {
  const { name, section, readAs, type } = visible;
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
    const disk = logicalDisk(volumes, built, { location, readOnly: readOnlyReason(visible, built), context });
    await disk.init(io);
    return disk;
  };
  return {
    kind: 'lv',
    layer: `lv:${group.name}/${name}`,
    device: `/dev/${group.name}/${name}`,
    type,
    name,
    size: made?.target.size ?? sizeOf(volumes, readAs),
    status: problem === undefined ? 'ok' : problem.code === 'ERR_UNSUPPORTED' ? 'unsupported' : 'error',
    reason: problem?.reason,
    facts: { ...factsOf(group, section, readAs), ...conditionOf(made) },
    copies: made === undefined ? [] : volumes.copiesBelow(made),
    open,
  };
}

function readOnlyReason(
  { section, readOnly }: VisibleVolume,
  { readOnlyType }: BuiltVolume,
): string | undefined {
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
