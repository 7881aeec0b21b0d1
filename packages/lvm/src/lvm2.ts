import { DiskError, type Io, type LayoutContext, type VolumeLayout, type VolumeSet } from '@diskstack/core';
import { GroupVolumes } from './group/group-volumes.ts';
import { listVolumes } from './group/volume-list.ts';
import { isLabel, LABEL_SCAN_SECTORS } from './layout/label.ts';
import { decodePv, type GroupModel } from './metadata/group-model.ts';
import { chooseGroups, type FoundGroup } from './pvs/choose-groups.ts';
import { type DamagedVolume, type PhysicalVolume, readPhysicalVolume } from './pvs/physical-volume.ts';
import { LVM2, SECTOR } from './units.ts';

/** LVM2, read from the physical volumes themselves: every type of segments that lvm2 makes, but VDO. */
export const lvm2: VolumeLayout = {
  name: LVM2,
  title: 'LVM2 volume groups',
  joins: ({ head }) =>
    Array.from({ length: LABEL_SCAN_SECTORS }, (_, sector) => head.subarray(sector * SECTOR)).some(isLabel),
  async find(members, context, io = {}) {
    const volumes: PhysicalVolume[] = [];
    const sets: VolumeSet[] = [];
    for (const [index, member] of members.entries()) {
      const found = await readPhysicalVolume(member, index, context, io);
      if (found === undefined) continue;
      if ('problem' in found) sets.push(damagedSet(found));
      else volumes.push(found);
    }
    const { groups, others } = await chooseGroups(volumes);
    for (const group of groups) sets.push(await groupSet(group, context, io));
    for (const volume of others) sets.push(lonelySet(volume));
    return sets;
  },
};

async function groupSet(found: FoundGroup, context: LayoutContext, io: Io): Promise<VolumeSet> {
  const { group, members, problems } = found;
  const volumes = await listVolumes(new GroupVolumes(found, context), context, io);
  const { id: uuid, seqno, extentBytes: extentSize, tags } = group;
  return {
    layout: LVM2,
    name: group.name,
    members: [...members.values()].map(({ member }) => member),
    volumes,
    facts: {
      uuid,
      seqno,
      extentSize,
      ...(tags.length > 0 && { tags: [...tags] }),
      pvs: pvFacts(group, members),
      ...(problems.length > 0 && { warnings: [...problems] }),
    },
  };
}

function pvFacts(group: GroupModel, members: FoundGroup['members']) {
  return [...group.physicalVolumes.values()].map((section) => {
    try {
      const { name, id: uuid } = decodePv(section);
      return { name, uuid, path: members.get(uuid)?.path ?? null };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return { name: section.key, problem: error.reason };
    }
  });
}

function damagedSet({ member, problem }: DamagedVolume): VolumeSet {
  return { layout: LVM2, members: [member], volumes: [], problem };
}

/** A physical volume of no group, or of one that cannot be told. */
function lonelySet({ member, header, problems }: PhysicalVolume): VolumeSet {
  const { uuid, metadataAreas } = header;
  const reason =
    problems[0] ??
    (metadataAreas.length === 0
      ? 'the physical volume has no metadata areas, and no other disk tells of its volume group'
      : undefined);
  return {
    layout: LVM2,
    members: [member],
    volumes: [],
    facts: { pvUuid: uuid },
    ...(reason && { problem: reason }),
  };
}
