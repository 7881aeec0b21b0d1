import type { Decompress } from '../../src/contracts/codec.ts';
import type { MountMode } from '../../src/contracts/disk-format.ts';
import type { DiskModule, Io } from '../../src/contracts/disk-module.ts';
import { DEFAULT_LIMITS } from '../../src/contracts/services.ts';
import type { ExtentList } from '../../src/mapping/extent-list.ts';
import { MappedDisk } from '../../src/mapping/mapped-disk.ts';
import type { Mapping } from '../../src/mapping/mapping.ts';
import { pattern } from '../../src/testing/index.ts';

/** A format small enough to hold in the head: a table in memory says where each cluster is. */

export const CLUSTER = 4096;
const HEADER = 512;
const RUN = 128;

export type ToyCluster = 'data' | 'zero' | 'reserved' | 'base' | 'compressed';

interface ToyEntry {
  readonly kind: ToyCluster;
  readonly at: number;
  readonly stored: number;
}

export interface ToyImage {
  /** The bytes of the image file. */
  readonly file: Uint8Array;
  readonly entries: readonly ToyEntry[];
  /** Guest bytes. */
  readonly size: number;
  /** What the guest reads. */
  readonly expected: Uint8Array;
}

export interface ToyImageOptions {
  /** Guest bytes. Default: all clusters. */
  readonly size?: number;
  /** What the base holds. */
  readonly base?: Uint8Array;
  /** No two data clusters are neighbours in the file. Otherwise every two are. */
  readonly scattered?: boolean;
}

/** Guest bytes of a compressed cluster: runs, so that the codec gains something. */
function runs(cluster: number): Uint8Array {
  return Uint8Array.from({ length: CLUSTER }, (_, index) => (cluster * 37 + Math.floor(index / RUN)) % 256);
}

/** The toy codec: a mark, then pairs of count and byte. */
function compress(bytes: Uint8Array): Uint8Array {
  const stored = [0x52];
  for (let at = 0; at < bytes.length; at += RUN) stored.push(RUN, bytes[at] ?? 0);
  return Uint8Array.from(stored);
}

const decompress: Decompress = (stored, into) => {
  if (stored[0] !== 0x52) throw new Error(`mark ${stored[0]}, not 82`);
  let done = 0;
  for (let at = 1; done < into.length; at += 2) {
    if (at + 1 >= stored.length) throw new Error(`the stream ends after ${done} bytes`);
    const count = stored[at] ?? 0;
    into.fill(stored[at + 1] ?? 0, done, done + count);
    done += count;
  }
  return undefined;
};

export function toyImage(plan: readonly ToyCluster[], options: ToyImageOptions = {}): ToyImage {
  const { size = plan.length * CLUSTER, base = new Uint8Array(0), scattered = false } = options;
  const expected = new Uint8Array(plan.length * CLUSTER);
  const slots = plan.filter((kind) => kind === 'data' || kind === 'reserved').length;
  const packed: Uint8Array[] = [];
  const file = [new Uint8Array(HEADER + slots * CLUSTER)];
  const entries: ToyEntry[] = [];
  let slot = 0;
  let end = HEADER + slots * CLUSTER;
  for (const [index, kind] of plan.entries()) {
    const guest = expected.subarray(index * CLUSTER, (index + 1) * CLUSTER);
    let entry: ToyEntry = { kind, at: -1, stored: 0 };
    if (kind === 'data' || kind === 'reserved') {
      const backward = slots - 1 - slot;
      const place = scattered || slot >= slots - (slots % 2) ? backward : backward - 1 + 2 * (slot % 2);
      entry = { kind, at: HEADER + place * CLUSTER, stored: CLUSTER };
      slot++;
      if (kind === 'data')
        guest.set(pattern(expected.length, 1).subarray(index * CLUSTER, (index + 1) * CLUSTER));
      file[0]?.set(kind === 'data' ? guest : guest.slice().fill(0xdd), entry.at);
    } else if (kind === 'compressed') {
      guest.set(runs(index));
      const stored = compress(guest);
      entry = { kind, at: end, stored: stored.length };
      packed.push(stored);
      end += stored.length;
    } else if (kind === 'base') {
      guest.set(base.subarray(index * CLUSTER, (index + 1) * CLUSTER));
    }
    entries.push(entry);
  }
  return { file: join([...file, ...packed]), entries, size, expected: expected.slice(0, size) };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export interface ToyOptions {
  readonly base?: DiskModule;
  readonly slack?: number;
  readonly transparent?: boolean;
  /** Clusters that one look-up of the table answers. Default: 8. */
  readonly tableClusters?: number;
  /** Whether the look-up of this table, counted from 0, has to be waited for. */
  readonly later?: (table: number) => boolean;
  /** Given: the format has no decompressor. */
  readonly decompress?: undefined;
}

export function toyDisk(image: ToyImage, downstream: DiskModule, options: ToyOptions = {}): MappedDisk {
  return mapped(downstream, async (io) => {
    const { base, later = () => false, tableClusters = 8 } = options;
    await base?.init(io);
    return {
      size: image.size,
      info: { format: 'toy', virtualSize: image.size },
      base,
      codecs: 'decompress' in options ? [] : [decompress],
      slack: options.slack,
      transparent: options.transparent,
      translate(offset, length, extents) {
        const table = Math.floor(offset / CLUSTER / tableClusters);
        const end = Math.min(offset + length, (table + 1) * tableClusters * CLUSTER);
        if (!later(table)) return lookUp(image, offset, end, extents);
        return Promise.resolve().then(() => lookUp(image, offset, end, extents));
      },
    };
  });
}

function lookUp(image: ToyImage, offset: number, end: number, extents: ExtentList): undefined {
  while (offset < end && !extents.full) {
    const inCluster = offset % CLUSTER;
    const length = Math.min(end - offset, CLUSTER - inCluster);
    const { kind, at, stored } = image.entries[Math.floor(offset / CLUSTER)] as ToyEntry;
    if (kind === 'data') extents.data(length, at + inCluster);
    else if (kind === 'zero') extents.zero(length);
    else if (kind === 'reserved') extents.zero(length, at + inCluster);
    else if (kind === 'base') extents.base(length);
    else extents.compressed(length, at, stored, inCluster, CLUSTER);
    offset += length;
  }
}

/** A `MappedDisk` that opens nothing but its mapping. */
export function mapped(
  downstream: DiskModule,
  load: (io: Io) => Promise<Mapping>,
  mountMode: MountMode = 'r',
): MappedDisk {
  const limits = DEFAULT_LIMITS;
  return new MappedDisk({
    type: 'TOY',
    format: 'toy',
    downstream,
    location: '/toy.img',
    mountMode,
    limits,
    load,
  });
}
