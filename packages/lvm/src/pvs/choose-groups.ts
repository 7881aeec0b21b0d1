import { DiskError, quote } from '@diskstack/core';
import { decodeGroup, decodePv, type GroupModel } from '../metadata/group-model.ts';
import { parseConfigInTurns } from '../metadata/parse.ts';
import type { PhysicalVolume } from './physical-volume.ts';

/** A volume group, and those of its physical volumes that are there, by their UUIDs. */
export interface FoundGroup {
  readonly group: GroupModel;
  readonly members: ReadonlyMap<string, PhysicalVolume>;
  /** What does not keep it from being read. */
  readonly problems: readonly string[];
  /** Physical volumes that are there more than once, each with its copies; the first one is the member. */
  readonly copies: readonly (readonly PhysicalVolume[])[];
}

interface Candidate {
  readonly group: GroupModel;
  readonly ignored: boolean;
}

/** The groups that the physical volumes tell of, each in its newest state, and the physical volumes of none. */
export async function chooseGroups(volumes: readonly PhysicalVolume[]): Promise<{
  readonly groups: readonly FoundGroup[];
  readonly others: readonly PhysicalVolume[];
}> {
  const problems = new Map<PhysicalVolume, string[]>(volumes.map((volume) => [volume, [...volume.problems]]));
  const newest = new Map<string, Candidate>();
  const own = new Map<PhysicalVolume, string>();
  const parsed = new Map<string, GroupModel | string>();
  for (const volume of volumes) {
    for (const { text, ignored } of volume.copies) {
      const group = parsed.get(text) ?? (await parseGroup(text));
      parsed.set(text, group);
      if (typeof group === 'string') {
        problems.get(volume)?.push(group);
        continue;
      }
      own.set(volume, group.id);
      const known = newest.get(group.id);
      if (known === undefined || isNewer({ group, ignored }, known)) newest.set(group.id, { group, ignored });
    }
  }
  const taken = new Set<PhysicalVolume>();
  const groups = [...newest.values()].map(({ group }) => {
    const members = membersOf(group, volumes, own);
    for (const member of members.found.values()) taken.add(member);
    const told = [...members.found.values()].flatMap((member) => problems.get(member) ?? []);
    const copies = [...members.copies.values()];
    const twice = copies.map(
      ([first, ...others]) =>
        `the physical volume ${quote(first?.header.uuid ?? '')} is there more than once; ${quote(first?.path ?? '')} is used, and not ${others.map(({ path }) => quote(path)).join(', ')}`,
    );
    return { group, members: members.found, problems: [...told, ...twice], copies };
  });
  const uuids = new Set([...taken].map(({ header }) => header.uuid));
  const others = volumes
    .filter((volume) => !taken.has(volume))
    .map((volume) => ({
      ...volume,
      problems: [...whyAlone(volume, uuids, own), ...(problems.get(volume) ?? [])],
    }));
  return { groups: groups.filter(({ members }) => members.size > 0), others };
}

/** Why a physical volume whose metadata tells of a group is not in it. */
function whyAlone(
  volume: PhysicalVolume,
  taken: ReadonlySet<string>,
  own: ReadonlyMap<PhysicalVolume, string>,
): readonly string[] {
  const { uuid } = volume.header;
  if (taken.has(uuid)) return [`the physical volume ${quote(uuid)} is there already, on another disk`];
  return own.has(volume) ? ['its volume group does not list the physical volume'] : [];
}

async function parseGroup(text: string): Promise<GroupModel | string> {
  try {
    return decodeGroup(await parseConfigInTurns(text));
  } catch (error) {
    if (error instanceof DiskError) return error.reason;
    throw error;
  }
}

/** An area that takes part comes before one that does not; then the higher sequence number counts. */
function isNewer(one: Candidate, other: Candidate): boolean {
  if (one.ignored !== other.ignored) return !one.ignored;
  return one.group.seqno > other.group.seqno;
}

/** The physical volumes that the group lists. One whose own metadata tells of another group has left this one. */
function membersOf(
  group: GroupModel,
  volumes: readonly PhysicalVolume[],
  own: ReadonlyMap<PhysicalVolume, string>,
) {
  const listed = new Set<string>();
  for (const section of group.physicalVolumes.values()) {
    try {
      listed.add(decodePv(section).id);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error; // whatever is on it will say so
    }
  }
  const found = new Map<string, PhysicalVolume>();
  const copies = new Map<string, PhysicalVolume[]>();
  for (const volume of volumes) {
    const { uuid } = volume.header;
    if (!listed.has(uuid) || (own.get(volume) ?? group.id) !== group.id) continue;
    const first = found.get(uuid);
    if (first === undefined) found.set(uuid, volume);
    else copies.set(uuid, [...(copies.get(uuid) ?? [first]), volume]);
  }
  return { found, copies };
}
