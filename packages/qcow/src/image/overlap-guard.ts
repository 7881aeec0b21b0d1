import { DiskError, hex } from '@diskstack/core';

/** The kind of metadata that a cluster of the image holds. */
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
 * Knows which clusters of the image hold metadata. Every write is checked against it first: data must not touch any of
 * them, and a table only clusters of its kind. So a wrong refcount leads to an error and never destroys a table.
 */
export class OverlapGuard {
  readonly #clusterSize: number;
  readonly #kinds = new Map<number, MetadataKind>();

  constructor(clusterSize: number) {
    this.#clusterSize = clusterSize;
  }

  /** Records that these bytes hold metadata. `ERR_CORRUPT` when another kind of metadata has one of the clusters. */
  claim(kind: MetadataKind, at: number, length: number): void {
    if (!Number.isSafeInteger(at + length))
      throw new DiskError('ERR_CORRUPT', `${kind} is at byte ${hex(at)}, where no file reaches`);
    for (const cluster of this.#clusters(at, length)) {
      const other = this.#kinds.get(cluster);
      if (other !== undefined && other !== kind) throw this.#overlap(`${kind} is where ${other} is`, cluster);
      this.#kinds.set(cluster, kind);
    }
  }

  /** Another kind of metadata in these bytes; `undefined` for none. The caller has bounded the length by the file. */
  otherThan(kind: MetadataKind, at: number, length: number): MetadataKind | undefined {
    for (const cluster of this.#clusters(at, length)) {
      const other = this.#kinds.get(cluster);
      if (other !== undefined && other !== kind) return other;
    }
    return undefined;
  }

  /**
   * Records that these bytes may hold metadata, because a damaged entry names them: nothing is written there. Certain
   * claims take precedence, so they come first.
   */
  claimDoubtful(kind: MetadataKind, at: number, length: number): void {
    if (!Number.isSafeInteger(at + length)) return; // no file reaches there
    for (const cluster of this.#clusters(at, length)) {
      if (!this.#kinds.has(cluster)) this.#kinds.set(cluster, kind);
    }
  }

  /** Records that the cluster is free. */
  drop(cluster: number): void {
    this.#kinds.delete(cluster);
  }

  has(cluster: number): boolean {
    return this.#kinds.has(cluster);
  }

  /** The metadata in the cluster, as far as it is known. */
  kindOf(cluster: number): MetadataKind | undefined {
    return this.#kinds.get(cluster);
  }

  /** Drops all claims. */
  clear(): void {
    this.#kinds.clear();
  }

  /** Changes the kind of a structure. */
  rename(kind: MetadataKind, at: number, length: number): void {
    for (const cluster of this.#clusters(at, length)) this.#kinds.set(cluster, kind);
  }

  checkData(at: number, length: number): void {
    const last = Math.floor((at + Math.max(1, length) - 1) / this.#clusterSize);
    for (let cluster = Math.floor(at / this.#clusterSize); cluster <= last; cluster++) {
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
