import type { DiskModule } from '../../src/contracts/disk-module.ts';
import type { ExtentList } from '../../src/mapping/extent-list.ts';
import type { Mapping } from '../../src/mapping/mapping.ts';
import type { MappingWriter, PlacedPart, Placement } from '../../src/mapping/mapping-writer.ts';
import { CLUSTER } from './toy-format.ts';

/** Clusters that one call of `place` answers. */
const AT_ONCE = 3;

/**
 * An overlay that takes a new cluster at the end of the file for the first write to it, and has the rest of the cluster
 * copied up. What is abandoned is used by the next write.
 */
export class ToyAllocator implements MappingWriter {
  readonly unit: number = CLUSTER;
  readonly size: number;
  /** What was called, in order. */
  readonly log: string[];
  readonly #base: DiskModule;
  readonly #linked = new Map<number, number>();
  readonly #free: number[] = [];
  #end = 0;

  constructor(base: DiskModule, size: number, log: string[]) {
    this.#base = base;
    this.size = size;
    this.log = log;
  }

  async load(): Promise<Mapping> {
    await this.#base.init();
    return {
      size: this.size,
      info: { format: 'toy', virtualSize: this.size },
      base: this.#base,
      writer: this,
      translate: (offset, length, extents) => this.#translate(offset, length, extents),
      flush: async () => {
        this.log.push('flush');
      },
    };
  }

  #translate(offset: number, length: number, extents: ExtentList): undefined {
    for (const part of parts(offset, length)) {
      if (extents.full) return;
      const at = this.#linked.get(part.cluster);
      if (at === undefined) extents.base(part.length);
      else extents.data(part.length, at + part.inCluster);
    }
  }

  inPlace(offset: number, length: number): Placement | undefined {
    const placed: PlacedPart[] = [];
    for (const { cluster, inCluster, ...part } of parts(offset, length)) {
      const at = this.#linked.get(cluster);
      if (at === undefined) return undefined;
      placed.push({ ...part, at: at + inCluster, before: 0, after: 0 });
    }
    return { length, parts: placed };
  }

  async place(offset: number, length: number): Promise<Placement> {
    this.log.push(`place ${offset}`);
    const taken = new Map<number, number>();
    const placed: PlacedPart[] = [];
    let covered = 0;
    for (const { cluster, inCluster, ...part } of parts(offset, length).slice(0, AT_ONCE)) {
      const linked = this.#linked.get(cluster);
      const at = linked ?? this.#take();
      if (linked === undefined) taken.set(cluster, at);
      const before = linked === undefined ? inCluster : 0;
      const after = linked === undefined ? CLUSTER - inCluster - part.length : 0;
      placed.push({ ...part, at: at + inCluster, before, after });
      covered += part.length;
    }
    return {
      length: covered,
      parts: placed,
      commit: () => {
        this.log.push(`commit ${offset}+${covered}`);
        for (const [cluster, at] of taken) this.#linked.set(cluster, at);
      },
      abandon: () => {
        this.log.push(`abandon ${offset}+${covered}`);
        this.#free.push(...taken.values());
      },
    };
  }

  #take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#end += CLUSTER;
    return this.#end - CLUSTER;
  }
}

interface Part {
  readonly cluster: number;
  readonly inCluster: number;
  readonly offset: number;
  readonly length: number;
}

function parts(offset: number, length: number): Part[] {
  const found: Part[] = [];
  for (let at = offset; at < offset + length; ) {
    const inCluster = at % CLUSTER;
    const part = Math.min(CLUSTER - inCluster, offset + length - at);
    found.push({ cluster: (at - inCluster) / CLUSTER, inCluster, offset: at, length: part });
    at += part;
  }
  return found;
}
