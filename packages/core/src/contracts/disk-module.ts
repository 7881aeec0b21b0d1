/** Travels with every call, down to the bottom of the stack. */
export interface Io {
  /** Ends the work with `ERR_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** The caller has other work meanwhile: a long read is left to other threads, where the storage has them. */
  readonly ahead?: boolean | undefined;
}

export interface ReadIo extends Io {
  /** Where to put the bytes; at least as long as the bytes asked for. The result is then a view of it. */
  readonly into?: Uint8Array | undefined;
}

/**
 * One layer of a disk stack: random access to a fixed range of bytes, no cursor, safe for concurrent calls.
 *
 * Every method fails with a `DiskError` and nothing else.
 */
export interface DiskModule extends AsyncDisposable {
  /**
   * The column of layers, top first: `'QCOW'` on a file, `'QCOW-LVM2'` on a logical volume. A storage is the ground
   * that layers stand on, and no layer itself: its type is `''`.
   */
  readonly diskType: string;
  /** Bytes of a sector: 512, or 4096. */
  readonly blockSize: number;
  readonly writable: boolean;
  /** Validates, and opens every disk of the backing chain. Idempotent: all calls share one promise. */
  init(io?: Io): Promise<void>;
  /** Guest bytes. Known once `init()` has resolved, `ERR_STATE` before. */
  size(): number;
  /**
   * Guest bytes from `offset` on. Clipped at the end of the disk: fewer bytes than asked, none at or past the end. What
   * lies inside the disk arrives whole or the call fails.
   */
  read(offset: number, length: number, io?: ReadIo): Promise<Uint8Array>;
  /** Writes all of `data` and answers its length. `ERR_OUT_OF_BOUNDS` past the end, `ERR_READ_ONLY` where it applies. */
  write(offset: number, data: Uint8Array, io?: Io): Promise<number>;
  /** Closes this layer and all that it owns below, once. Idempotent; waits for what is in flight. */
  close(): Promise<void>;
  /** The disk that a caller interested only in the base should use. */
  getBase(): DiskModule;
}
