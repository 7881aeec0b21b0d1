import { DiskError, type Io } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import type { LayoutContext, VolumeLayout, VolumeSet } from '@diskstack/core/volumes';
import { GroupVolumes } from './group/group-volumes.ts';
import { listVolumes } from './group/volume-list.ts';
import { isLabel, LABEL_SCAN_SECTORS } from './layout/label.ts';
import { LVM2 } from './layout-name.ts';
import { decodePv, type GroupModel } from './metadata/group-model.ts';
import { chooseGroups, type FoundGroup } from './pvs/choose-groups.ts';
import { type DamagedPv, type PhysicalVolume, readPhysicalVolume } from './pvs/physical-volume.ts';

/**
 * The LVM2 layout. It reads labels, metadata and data from the physical volumes themselves, and knows every segment type
 * that lvm2 creates, except VDO. Damage to one volume or one disk does not affect the others.
 */
export const lvm2: VolumeLayout = {
  name: LVM2,
  title: 'LVM2 volume groups',
  joins: ({ head }) =>
    Array.from({ length: LABEL_SCAN_SECTORS }, (_, sector) => head.subarray(sector * SECTOR)).some(isLabel),
  async find(members, context, io = {}) {
    const pvs: PhysicalVolume[] = [];
    const sets: VolumeSet[] = [];
    for (const [index, member] of members.entries()) {
      const found = await readPhysicalVolume(member, index, context, io);
      if (found === undefined) continue;
      if ('problem' in found) sets.push(damagedSet(found));
      else pvs.push(found);
    }
    const { groups, others } = await chooseGroups(pvs);
    for (const group of groups) sets.push(await groupSet(group, context, io));
    for (const pv of others) sets.push(lonelySet(pv));
    return sets;
  },
};

async function groupSet(found: FoundGroup, context: LayoutContext, io: Io): Promise<VolumeSet> {
  const { group, pvs, problems } = found;
  const volumes = await listVolumes(new GroupVolumes(found, context), context, io);
  const { id: uuid, seqno, extentBytes: extentSize, tags } = group;
  return {
    layout: LVM2,
    name: group.name,
    members: [...pvs.values()].map(({ member }) => member),
    volumes,
    facts: {
      uuid,
      seqno,
      extentSize,
      ...(tags.length > 0 && { tags: [...tags] }),
      pvs: pvFacts(group, pvs),
      ...(problems.length > 0 && { warnings: [...problems] }),
    },
  };
}

/** For each physical volume that the group lists: its name, and the disk that it was found on. */
function pvFacts(group: GroupModel, pvs: FoundGroup['pvs']) {
  return [...group.physicalVolumes.values()].map((section) => {
    try {
      const { name, id: uuid } = decodePv(section);
      return { name, uuid, path: pvs.get(uuid)?.path ?? null };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return { name: section.key, problem: error.reason };
    }
  });
}

function damagedSet({ member, problem }: DamagedPv): VolumeSet {
  return { layout: LVM2, members: [member], volumes: [], problem };
}

/** A physical volume that belongs to no group, or whose group is unknown. */
function lonelySet({ member, header, problems }: PhysicalVolume): VolumeSet {
  const { uuid, metadataAreas } = header;
  const reason =
    problems[0] ??
    (metadataAreas.length === 0
      ? 'the physical volume has no metadata areas, and no other disk describes its volume group: name further disks of the group'
      : undefined);
  return {
    layout: LVM2,
    members: [member],
    volumes: [],
    facts: { pvUuid: uuid },
    ...(reason && { problem: reason }),
  };
}
