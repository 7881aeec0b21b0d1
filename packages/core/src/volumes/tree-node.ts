import { can } from '../contracts/abilities.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import type { Json } from '../contracts/layer-info.ts';
import type { VolumeKind, VolumeSet } from '../contracts/volume-layout.ts';
import type { Layer } from './layer.ts';

/** One disk, partition or logical volume of a machine, with all that stands on it. Names come from disks: quote them. */
export interface TreeNode {
  /** Opens it: `disks.openLayer(path)`. */
  readonly path: string;
  readonly kind: 'disk' | VolumeKind;
  /** The format of an image; the type of a partition, `'0x83'` or a GUID; the kind of a logical volume, `'raid1'`. */
  readonly type: string;
  readonly name: string | undefined;
  /** Byte of the disk below at which it begins, where it is one run of bytes there. */
  readonly start: number | undefined;
  /** Bytes; not known of an image that cannot be opened. */
  readonly size: number | undefined;
  /** `unsupported`: known, and not looked into. `error`: damaged, or something is missing. */
  readonly status: 'ok' | 'unsupported' | 'error';
  /** Why it is not `ok`. */
  readonly reason: string | undefined;
  /** Further facts under keys for JSON: `number`, `uuid`, `filesystem`, `table`, `group` … */
  readonly facts: { readonly [key: string]: Json };
  readonly children: readonly TreeNode[];
}

/** A layer as a node. Nothing is opened for it, and nothing read. */
export async function treeNode(layer: Layer): Promise<TreeNode> {
  const { path, kind, volume, content } = layer;
  const disk = layer.isOpen ? await layer.disk().catch(() => undefined) : undefined;
  const children: TreeNode[] = [];
  for (const above of layer.above.values()) children.push(await treeNode(above));
  const { status, reason } = judged(layer);
  return {
    path,
    kind,
    type: volume?.type ?? formatOf(disk) ?? layer.format ?? 'unknown',
    name: volume?.name,
    start: volume?.start,
    size: volume?.size ?? disk?.size(),
    status,
    reason,
    facts: {
      ...volume?.facts,
      ...chainFacts(disk),
      ...tableFacts(layer),
      ...groupFacts(layer),
      ...(content !== undefined && layer.group === undefined && { filesystem: content.name }),
    },
    children,
  };
}

/** The worst that is known of a layer: of the volume itself, of what kept it from being looked into, of its table. */
function judged({ volume, problem, sets, group, content }: Layer): Pick<TreeNode, 'status' | 'reason'> {
  if (volume !== undefined && volume.status !== 'ok')
    return { status: volume.status, reason: volume.reason ?? 'the layout gives no reason' };
  if (problem !== undefined)
    return { status: problem.code === 'ERR_UNSUPPORTED' ? 'unsupported' : 'error', reason: problem.message };
  // A group that has volumes says of each what is wrong with it; the disk that they stand on is not at fault.
  const broken = sets.find(
    (set) => set.problem !== undefined && (set !== group?.set || set.volumes.length === 0),
  );
  if (broken !== undefined) return { status: 'error', reason: broken.problem };
  // A file system ends the column; any other content could hold further disks.
  if (content !== undefined && content.kind !== 'file-system' && group === undefined)
    return { status: 'unsupported', reason: `${content.title}: recognised, and not read` };
  return { status: 'ok', reason: undefined };
}

function formatOf(disk: DiskModule | undefined): string | undefined {
  return disk !== undefined && can(disk, 'info') ? disk.info().format : undefined;
}

/** The backing chain of an image, the disk next to it first. */
function chainFacts(disk: DiskModule | undefined): { readonly [key: string]: Json } {
  const chain = disk !== undefined && can(disk, 'chain') ? disk.chain().slice(1) : [];
  if (chain.length === 0) return {};
  return {
    backing: chain.map((base) => ({
      path: can(base, 'location') ? base.location : '',
      type: formatOf(base) ?? 'raw',
      size: base.size(),
    })),
  };
}

/** What is told of a partition table. */
function tableFacts({ sets, group }: Layer): { readonly [key: string]: Json } {
  const table = sets.find((set) => set !== group?.set);
  return table === undefined ? {} : { table: setFacts(table) };
}

/** What is told of the group that a disk is part of, and where its volumes are listed. */
function groupFacts(layer: Layer): { readonly [key: string]: Json } {
  const { group } = layer;
  if (group === undefined) return {};
  const { set, listedAt } = group;
  return { group: listedAt === layer ? setFacts(set) : { ...named(set), listedAt: listedAt.path } };
}

function setFacts(set: VolumeSet): { readonly [key: string]: Json } {
  return { ...named(set), ...set.facts, ...(set.problem !== undefined && { problem: set.problem }) };
}

function named({ layout, name }: VolumeSet): { readonly [key: string]: Json } {
  return { layout, ...(name !== undefined && { name }) };
}
