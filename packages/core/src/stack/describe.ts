import { can } from '../contracts/abilities.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import type { LayerInfo } from '../contracts/layer-info.ts';
import { quote } from '../errors/text.ts';

/** One layer of an open stack, and the layers below it. */
export interface StackDescription {
  /** Names of the layers from this one down; `''` for a storage. */
  readonly diskType: string;
  /** Guest bytes. */
  readonly size: number;
  /** Path of the layer, if it has one. May come from an image: quote it. */
  readonly location?: string;
  /** What the format reports. Absent for storages and volumes. */
  readonly info?: LayerInfo;
  /** The disk that holds the bytes of this layer. */
  readonly downstream?: StackDescription;
  /** The base, from which ranges are read that this layer does not have. */
  readonly base?: StackDescription;
}

/** Describes every layer of an open disk: formats, volumes, storages, and the backing chain. */
export function describeStack(disk: DiskModule): StackDescription {
  const base = can(disk, 'chain') ? disk.chain()[1] : undefined;
  return {
    diskType: disk.diskType,
    size: disk.size(),
    ...(can(disk, 'location') ? { location: disk.location } : {}),
    ...(can(disk, 'info') ? { info: disk.info() } : {}),
    ...(can(disk, 'downstream') ? { downstream: describeStack(disk.downstream) } : {}),
    ...(base === undefined ? {} : { base: describeStack(base) }),
  };
}

/**
 * The description as a picture, one layer a line:
 *
 *     qcow2 "overlay.qcow2" 524288 bytes
 *     ├─ in: storage "overlay.qcow2" 36864 bytes
 *     └─ on: qcow2 "/dev/vg0/golden" 524288 bytes
 *        └─ in: LVM2 "/dev/vg0/golden" 1048576 bytes
 */
export function drawStack(stack: StackDescription): string {
  return lines(stack, '', '').join('\n');
}

function lines(stack: StackDescription, first: string, rest: string): string[] {
  const below: [string, StackDescription][] = [];
  if (stack.downstream !== undefined) below.push(['in: ', stack.downstream]);
  if (stack.base !== undefined) below.push(['on: ', stack.base]);
  return [
    first + title(stack),
    ...below.flatMap(([relation, layer], index) =>
      index < below.length - 1
        ? lines(layer, `${rest}├─ ${relation}`, `${rest}│  `)
        : lines(layer, `${rest}└─ ${relation}`, `${rest}   `),
    ),
  ];
}

function title({ info, diskType, location, size }: StackDescription): string {
  const name = info?.format ?? (diskType === '' ? 'storage' : diskType);
  return [name, location === undefined ? undefined : quote(location), `${size} bytes`]
    .filter(Boolean)
    .join(' ');
}
