import { can } from '../contracts/abilities.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import type { Json } from '../contracts/layer-info.ts';
import type { VolumeKind, VolumeSet } from '../contracts/volume-layout.ts';
import type { Layer } from './layer.ts';

/** One disk, partition or logical volume of a machine, with all layers above it. Names come from disks: quote them. */
export interface TreeNode {
  /** Address of the layer: `disks.openLayer(path)` opens it. */
  readonly path: string;
  readonly kind: 'disk' | VolumeKind;
  /** The format of an image; the type of a partition, `'0x83'` or a GUID; the kind of a logical volume, `'raid1'`. */
  readonly type: string;
  readonly name: string | undefined;
  /** Byte offset in the disk below, if the volume is one range of it. */
  readonly start: number | undefined;
  /** Size in bytes. `undefined` for an image that cannot be opened. */
  readonly size: number | undefined;
  /** `unsupported`: recognised, but not read. `error`: damaged, or something is missing. */
  readonly status: 'ok' | 'unsupported' | 'error';
  /** Why the status is not `ok`. */
  readonly reason: string | undefined;
  /** Further facts, under keys for JSON: `number`, `uuid`, `filesystem`, `table`, `group` … */
  readonly facts: { readonly [key: string]: Json };
  readonly children: readonly TreeNode[];
}

/** Makes the node of a layer. Opens and reads nothing. */
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

/** The worst status known of a layer: of the volume itself, of opening or searching it, of its table. */
function judged({ volume, problem, sets, group, content }: Layer): Pick<TreeNode, 'status' | 'reason'> {
  if (volume !== undefined && volume.status !== 'ok')
    return { status: volume.status, reason: volume.reason ?? 'the layout gives no reason' };
  if (problem !== undefined)
    return { status: problem.code === 'ERR_UNSUPPORTED' ? 'unsupported' : 'error', reason: problem.message };
  // A group with volumes reports the damage at each volume. The disk below the volumes is not the cause.
  const broken = sets.find(
    (set) => set.problem !== undefined && (set !== group?.set || set.volumes.length === 0),
  );
  if (broken !== undefined) return { status: 'error', reason: broken.problem };
  // A file system has no further layers. Any other content could have some.
  if (content !== undefined && content.kind !== 'file-system' && group === undefined)
    return { status: 'unsupported', reason: `${content.title}: recognised but not supported` };
  return { status: 'ok', reason: undefined };
}

function formatOf(disk: DiskModule | undefined): string | undefined {
  return disk !== undefined && can(disk, 'info') ? disk.info().format : undefined;
}

/** The backing chain of an image, the nearest disk first. */
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

/** The facts of a partition table. */
function tableFacts({ sets, group }: Layer): { readonly [key: string]: Json } {
  const table = sets.find((set) => set !== group?.set);
  return table === undefined ? {} : { table: setFacts(table) };
}

/** The facts of the group that a disk is a member of, and where its volumes are listed. */
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
