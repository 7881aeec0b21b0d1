import { DiskError, hex } from '@diskstack/core';

/** What metadata stands in a cluster of the image. */
export type MetadataKind =
  | 'the header'
  | 'the L1 table'
  | 'the L1 table of a snapshot'
  | 'an L2 table'
  | 'the refcount table'
  | 'a refcount block'
  | 'the snapshot table'
  | 'a bitmap'
  | 'the encryption header';

/**
 * Knows which clusters of the image hold metadata. Every write is held against it before it goes down: data may touch
 * none of them, and a table only those of its own kind. A wrong refcount can thus cost an error, and never a table.
 */
export class OverlapGuard {
  readonly #clusterSize: number;
  readonly #kinds = new Map<number, MetadataKind>();

  constructor(clusterSize: number) {
    this.#clusterSize = clusterSize;
  }

  /** These bytes hold metadata from now on. Two kinds in one cluster: the image is corrupt. */
  claim(kind: MetadataKind, at: number, length: number): void {
    if (!Number.isSafeInteger(at + length))
      throw new DiskError('ERR_CORRUPT', `${kind} is at byte ${hex(at)}, where no file reaches`);
    for (const cluster of this.#clusters(at, length)) {
      const other = this.#kinds.get(cluster);
      if (other !== undefined && other !== kind) throw this.#overlap(`${kind} is where ${other} is`, cluster);
      this.#kinds.set(cluster, kind);
    }
  }

  /** What other metadata is in these bytes, of which there are not more than an image has. */
  otherThan(kind: MetadataKind, at: number, length: number): MetadataKind | undefined {
    for (const cluster of this.#clusters(at, length)) {
      const other = this.#kinds.get(cluster);
      if (other !== undefined && other !== kind) return other;
    }
    return undefined;
  }

  /**
   * These bytes may hold metadata, by an entry that cannot be right: nothing is written there. What is known of their
   * clusters stays, so claim all that is right before.
   */
  claimDoubtful(kind: MetadataKind, at: number, length: number): void {
    if (!Number.isSafeInteger(at + length)) return; // no file reaches there
    for (const cluster of this.#clusters(at, length)) {
      if (!this.#kinds.has(cluster)) this.#kinds.set(cluster, kind);
    }
  }

  /** The cluster has become free. */
  drop(cluster: number): void {
    this.#kinds.delete(cluster);
  }

  has(cluster: number): boolean {
    return this.#kinds.has(cluster);
  }

  /** What metadata is in the cluster, as far as is known. */
  kindOf(cluster: number): MetadataKind | undefined {
    return this.#kinds.get(cluster);
  }

  /** Forgets all claims. */
  clear(): void {
    this.#kinds.clear();
  }

  /** The structure is one of another kind from now on. */
  rename(kind: MetadataKind, at: number, length: number): void {
    for (const cluster of this.#clusters(at, length)) this.#kinds.set(cluster, kind);
  }

  checkData(at: number, length: number): void {
    for (const cluster of this.#clusters(at, length)) {
      const kind = this.#kinds.get(cluster);
      if (kind !== undefined) throw this.#overlap(`data would be written over ${kind}`, cluster);
    }
  }

  checkMetadata(kind: MetadataKind, at: number, length: number): void {
    for (const cluster of this.#clusters(at, length)) {
      const other = this.#kinds.get(cluster);
      if (other !== kind)
        throw this.#overlap(`${kind} would be written over ${other ?? 'something else'}`, cluster);
    }
  }

  *#clusters(at: number, length: number): Iterable<number> {
    const last = Math.floor((at + Math.max(1, length) - 1) / this.#clusterSize);
    for (let cluster = Math.floor(at / this.#clusterSize); cluster <= last; cluster++) yield cluster;
  }

  #overlap(what: string, cluster: number): DiskError {
    const offset = cluster * this.#clusterSize;
    return new DiskError(
      'ERR_CORRUPT',
      `${what}, in the cluster at byte ${hex(offset)}; nothing was written`,
      {
        offset,
      },
    );
  }
}
