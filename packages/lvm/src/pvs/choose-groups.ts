import { DiskError, quote } from '@diskstack/core';
import { decodeGroup, decodePv, type GroupModel } from '../metadata/group-model.ts';
import { parseConfigInTurns } from '../metadata/parse.ts';
import type { PhysicalVolume } from './physical-volume.ts';

/** A volume group and its physical volumes. */
export interface FoundGroup {
  readonly group: GroupModel;
  /** The physical volumes that were found, by UUID. */
  readonly pvs: ReadonlyMap<string, PhysicalVolume>;
  /** Warnings: the group can be read. */
  readonly problems: readonly string[];
  /** Physical volumes that exist more than once, each with its copies. The first one is used. */
  readonly copies: readonly (readonly PhysicalVolume[])[];
}

interface Candidate {
  readonly group: GroupModel;
  readonly ignored: boolean;
}

/** Groups the physical volumes, by the newest metadata of each volume group. `others` belong to no group. */
export async function chooseGroups(pvs: readonly PhysicalVolume[]): Promise<{
  readonly groups: readonly FoundGroup[];
  readonly others: readonly PhysicalVolume[];
}> {
  const problems = new Map<PhysicalVolume, string[]>(pvs.map((pv) => [pv, [...pv.problems]]));
  const newest = new Map<string, Candidate>();
  const own = new Map<PhysicalVolume, string>();
  const parsed = new Map<string, GroupModel | string>();
  for (const pv of pvs) {
    for (const { text, ignored } of pv.copies) {
      const group = parsed.get(text) ?? (await parseGroup(text));
      parsed.set(text, group);
      if (typeof group === 'string') {
        problems.get(pv)?.push(group);
        continue;
      }
      own.set(pv, group.id);
      const known = newest.get(group.id);
      if (known === undefined || isNewer({ group, ignored }, known)) newest.set(group.id, { group, ignored });
    }
  }
  const taken = new Set<PhysicalVolume>();
  const groups = [...newest.values()].map(({ group }) => {
    const { found, copies } = pvsOf(group, pvs, own);
    for (const pv of found.values()) taken.add(pv);
    const damaged = [...found.values()].flatMap((pv) => problems.get(pv) ?? []);
    const duplicates = [...copies.values()];
    const warnings = duplicates.map(
      ([first, ...others]) =>
        `the physical volume ${quote(first?.header.uuid ?? '')} is there more than once; ${quote(first?.path ?? '')} is used, and not ${others.map(({ path }) => quote(path)).join(', ')}`,
    );
    return { group, pvs: found, problems: [...damaged, ...warnings], copies: duplicates };
  });
  const uuids = new Set([...taken].map(({ header }) => header.uuid));
  const others = pvs
    .filter((pv) => !taken.has(pv))
    .map((pv) => ({ ...pv, problems: [...whyAlone(pv, uuids, own), ...(problems.get(pv) ?? [])] }));
  return { groups: groups.filter(({ pvs: found }) => found.size > 0), others };
}

/** Why a physical volume is not in the group that its own metadata describes. */
function whyAlone(
  pv: PhysicalVolume,
  taken: ReadonlySet<string>,
  own: ReadonlyMap<PhysicalVolume, string>,
): readonly string[] {
  const { uuid } = pv.header;
  if (taken.has(uuid)) return [`the physical volume ${quote(uuid)} was already found on another disk`];
  return own.has(pv) ? ['its volume group does not list the physical volume'] : [];
}

async function parseGroup(text: string): Promise<GroupModel | string> {
  try {
    return decodeGroup(await parseConfigInTurns(text));
  } catch (error) {
    if (error instanceof DiskError) return error.reason;
    throw error;
  }
}

/** An area in use wins over an ignored one; then the higher sequence number wins. */
function isNewer(one: Candidate, other: Candidate): boolean {
  if (one.ignored !== other.ignored) return !one.ignored;
  return one.group.seqno > other.group.seqno;
}

/** The physical volumes that the group lists. One whose own metadata describes another group has left this one. */
function pvsOf(group: GroupModel, pvs: readonly PhysicalVolume[], own: ReadonlyMap<PhysicalVolume, string>) {
  const listed = new Set<string>();
  for (const section of group.physicalVolumes.values()) {
    try {
      listed.add(decodePv(section).id);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error; // the logical volumes on it report the damage
    }
  }
  const found = new Map<string, PhysicalVolume>();
  const copies = new Map<string, PhysicalVolume[]>();
  for (const pv of pvs) {
    const { uuid } = pv.header;
    if (!listed.has(uuid) || (own.get(pv) ?? group.id) !== group.id) continue;
    const first = found.get(uuid);
    if (first === undefined) found.set(uuid, pv);
    else copies.set(uuid, [...(copies.get(uuid) ?? [first]), pv]);
  }
  return { found, copies };
}
