/** A table that must be read whole before a target can translate: mappings of a cache, exceptions of a snapshot. */
export interface LazyTable {
  /** Reads the table. Returns `undefined`, and no promise, once it is in memory. */
  load(): Promise<void> | undefined;
}
