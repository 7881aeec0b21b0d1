/** One compressed stream, and where its bytes go. */
export interface DecompressJob {
  readonly stored: Uint8Array;
  readonly into: Uint8Array;
}

export interface Decompress {
  /**
   * Fills `into` from the start of a compressed stream and writes nothing beyond it: `into` bounds the work. What follows the
   * stream is padding. Synchronous where it can be: the result is then `undefined`, and otherwise a promise. Throws a plain
   * error that says why when the stream is broken or ends before `into` is full.
   */
  (stored: Uint8Array, into: Uint8Array): Promise<void> | undefined;
  /** Loads what the decompressor needs. The engine awaits it once, before the first unit of a disk. */
  readonly ready?: () => Promise<void>;
  /** Many streams side by side, on other threads too. Answers what is wrong with each, `undefined` for a sound one. */
  readonly together?:
    | ((jobs: readonly DecompressJob[]) => Promise<readonly (string | undefined)[]>)
    | undefined;
}

/** A decompressor that never waits. */
export type DecompressNow = ((stored: Uint8Array, into: Uint8Array) => undefined) &
  Pick<Decompress, 'ready' | 'together'>;

export interface Compress {
  /**
   * A compressed stream shorter than `maxBytes`, or `undefined` where there is none. With a promise where the platform
   * compresses beside this thread: several calls then run at the same time.
   */
  (bytes: Uint8Array, maxBytes: number): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Loads what the compressor needs. A format awaits it once, before the first use. */
  readonly ready?: () => Promise<void>;
}

/** One method of compression. */
export interface Codec {
  readonly decompress: Decompress;
  /** Absent where the program only reads streams of this method. */
  readonly compress?: Compress | undefined;
}

/**
 * Codecs by name. The names below have a meaning that formats rely on; any other name may be added. Core has `deflate`, `zlib`
 * and `zstd`. What a program registers takes the place of a codec of the same name.
 */
export interface Codecs {
  /** Raw deflate (RFC 1951), any window size. Compressed with a window of 4 KiB, the largest that every reader of QCOW2 has. */
  readonly deflate?: Codec;
  /** Deflate with a header and an Adler-32 checksum (RFC 1950). The stream has to end where the unit does. */
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

/** The codecs that core brings. */
export type CoreCodecs = Codecs & Readonly<Record<'deflate' | 'zlib' | 'zstd', Codec>>;
