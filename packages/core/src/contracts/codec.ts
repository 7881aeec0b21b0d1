/** One compressed stream, and the buffer for its decompressed bytes. */
export interface DecompressJob {
  readonly stored: Uint8Array;
  readonly into: Uint8Array;
}

export interface Decompress {
  /**
   * Decompresses the start of a stream until `into` is full. `into` bounds the work. Bytes after the stream are padding. Returns
   * `undefined` if it completed synchronously, otherwise a promise. Throws a plain `Error` with the reason if the stream is
   * broken or ends before `into` is full.
   */
  (stored: Uint8Array, into: Uint8Array): Promise<void> | undefined;
  /** Loads the decompressor. The engine awaits it once, before the first unit of a disk. */
  readonly ready?: () => Promise<void>;
  /** Decompresses many streams in parallel, on other threads too. Returns an error text for each, `undefined` for success. */
  readonly together?:
    | ((jobs: readonly DecompressJob[]) => Promise<readonly (string | undefined)[]>)
    | undefined;
}

/** A decompressor that is always synchronous. */
export type DecompressNow = ((stored: Uint8Array, into: Uint8Array) => undefined) &
  Pick<Decompress, 'ready' | 'together'>;

export interface Compress {
  /**
   * Returns a compressed stream shorter than `maxBytes`, or `undefined` if the bytes do not get that small. Returns a promise if
   * the platform compresses on other threads: several calls then run in parallel.
   */
  (bytes: Uint8Array, maxBytes: number): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Loads the compressor. A format awaits it once, before the first use. */
  readonly ready?: () => Promise<void>;
}

/** One method of compression. */
export interface Codec {
  readonly decompress: Decompress;
  /** Absent if the program can only read streams of this method. */
  readonly compress?: Compress | undefined;
}

/**
 * Codecs by name. Formats rely on the meaning of the names below; a program may add any other name. Core has `deflate`, `zlib`
 * and `zstd`. A codec that a program registers replaces the one of the same name.
 */
export interface Codecs {
  /**
   * Raw deflate (RFC 1951), any window size. Compresses with a window of 4 KiB, the largest that every reader of QCOW2 supports.
   */
  readonly deflate?: Codec;
  /** Deflate with a header and an Adler-32 checksum (RFC 1950). The stream has to end exactly at the end of the unit. */
  readonly zlib?: Codec;
  /** Zstandard (RFC 8878), one or more frames. */
  readonly zstd?: Codec;
  /** A bzip2 stream (`BZh`). */
  readonly bzip2?: Codec;
  /** An xz stream (`.xz`). */
  readonly xz?: Codec;
  /** Apple LZFSE (`bvx`). */
  readonly lzfse?: Codec;
  /** One LZ4 block, without a frame. */
  readonly lz4?: Codec;
  /** Apple Data Compression. */
  readonly adc?: Codec;
  readonly [name: string]: Codec | undefined;
}

/** The codecs of core. */
export type CoreCodecs = Codecs & Readonly<Record<'deflate' | 'zlib' | 'zstd', Codec>>;
