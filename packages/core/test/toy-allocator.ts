import type { DiskModule } from '../src/contracts/disk-module.ts';
import type { ExtentList } from '../src/mapping/extent-list.ts';
import type { Mapping, MappingWriter } from '../src/mapping/mapping.ts';
import { readFully } from '../src/range.ts';
import { CLUSTER } from './toy-format.ts';

/** Clusters that one call of `place` answers. */
const AT_ONCE = 3;

/**
 * An overlay that takes a new cluster at the end of the file for the first write to it. A place is reserved, with the
 * rest of the cluster copied up, until `commit` links it; what is reserved and never linked is used by the next write.
 */
export class ToyAllocator implements MappingWriter {
  readonly size: number;
  /** What was called, in order. */
  readonly log: string[];
  readonly #file: DiskModule;
  readonly #base: DiskModule;
  readonly #linked = new Map<number, number>();
  readonly #reserved = new Map<number, Promise<number>>();
  #end = 0;

  /** `file` has room for all clusters. */
  constructor(file: DiskModule, base: DiskModule, size: number, log: string[]) {
    this.#file = file;
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

  async place(offset: number, length: number, extents: ExtentList): Promise<void> {
    this.log.push(`place ${offset}`);
    for (const part of parts(offset, length).slice(0, AT_ONCE)) {
      const at = this.#linked.get(part.cluster) ?? (await this.#reserve(part.cluster));
      extents.data(part.length, at + part.inCluster);
    }
  }

  #reserve(cluster: number): Promise<number> {
    let reserved = this.#reserved.get(cluster);
    if (reserved === undefined) {
      reserved = this.#copyUp(cluster, this.#end);
      this.#end += CLUSTER;
      this.#reserved.set(cluster, reserved);
    }
    return reserved;
  }

  async #copyUp(cluster: number, at: number): Promise<number> {
    const bytes = new Uint8Array(Math.min(CLUSTER, this.size - cluster * CLUSTER));
    await readFully(this.#base, cluster * CLUSTER, bytes);
    await this.#file.write(at, bytes);
    return at;
  }

  async commit(offset: number, length: number): Promise<void> {
    this.log.push(`commit ${offset}+${length}`);
    for (const { cluster } of parts(offset, length)) {
      const reserved = this.#reserved.get(cluster);
      if (reserved === undefined) continue;
      this.#linked.set(cluster, await reserved);
      this.#reserved.delete(cluster);
    }
  }
}

function parts(offset: number, length: number): { cluster: number; inCluster: number; length: number }[] {
  const found: { cluster: number; inCluster: number; length: number }[] = [];
  for (let at = offset; at < offset + length; ) {
    const inCluster = at % CLUSTER;
    const part = Math.min(CLUSTER - inCluster, offset + length - at);
    found.push({ cluster: (at - inCluster) / CLUSTER, inCluster, length: part });
    at += part;
  }
  return found;
}
