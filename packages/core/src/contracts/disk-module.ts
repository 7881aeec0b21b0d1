/** Options of every call. Each layer passes them to the layer below. */
export interface Io {
  /** Aborts the call with `ERR_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** A read-ahead: the caller works on other data meanwhile, so the storage may leave a long read to other threads. */
  readonly ahead?: boolean | undefined;
}

export interface ReadIo extends Io {
  /** Buffer for the bytes, at least as long as the clipped read. The result is a view of it. Default: a new buffer. */
  readonly into?: Uint8Array | undefined;
}

/**
 * One layer of a disk stack: random access to a fixed range of bytes, no cursor, safe for concurrent calls.
 *
 * Methods throw or reject with `DiskError` only.
 */
export interface DiskModule extends AsyncDisposable {
  /**
   * The types of the layers, top first: `'QCOW'` on a file, `'QCOW-LVM2'` on a logical volume. A storage (a file, a buffer) is
   * not a layer: its type is `''`.
   */
  readonly diskType: string;
  /** Bytes of a sector: 512 or 4096. */
  readonly blockSize: number;
  readonly writable: boolean;
  /** Validates, and opens every disk of the backing chain. Idempotent: all calls share one promise. */
  init(io?: Io): Promise<void>;
  /** Size in guest bytes. `ERR_STATE` before `init()` has resolved. */
  size(): number;
  /**
   * Reads `length` guest bytes at `offset`. The range is clipped at the end of the disk, so the result may be shorter, and is
   * empty at or past the end. A call that cannot read the whole clipped range fails.
   */
  read(offset: number, length: number, io?: ReadIo): Promise<Uint8Array>;
  /** Writes all of `data` and returns its length. `ERR_OUT_OF_BOUNDS` past the end, `ERR_READ_ONLY` on a read-only disk. */
  write(offset: number, data: Uint8Array, io?: Io): Promise<number>;
  /** Closes this layer and all layers below that it owns. Idempotent. Waits for calls in flight. */
  close(): Promise<void>;
  /** Returns the disk for a caller that wants only the base. Disks of diskstack return themselves. */
  getBase(): DiskModule;
}
