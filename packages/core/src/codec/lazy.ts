import type { Compress, Decompress, DecompressNow } from '../contracts/codec.ts';

/** Makes a decompressor that `ready` loads on first use, because most images have no compressed clusters. */
export function lazy(load: () => Promise<DecompressNow>): DecompressNow;
export function lazy(load: () => Promise<Decompress>): Decompress;
export function lazy(load: () => Promise<Decompress>): Decompress {
  let loaded: Decompress | undefined;
  const decompress = (stored: Uint8Array, into: Uint8Array): Promise<void> | undefined => {
    if (loaded === undefined) throw new Error('the decompressor is used before it is ready');
    return loaded(stored, into);
  };
  const ready = async (): Promise<void> => {
    if (loaded !== undefined) return;
    const decompressor = await load();
    await decompressor.ready?.();
    loaded = decompressor;
    lazyDecompress.together = decompressor.together;
  };
  const lazyDecompress = Object.assign(decompress, { ready, together: undefined as Decompress['together'] });
  return lazyDecompress;
}

/** Makes a compressor that `ready` loads on first use. */
export function lazyCompress(load: () => Promise<Compress>): Compress {
  let loaded: Compress | undefined;
  const compress: Compress = (bytes, maxBytes) => {
    if (loaded === undefined) throw new Error('the compressor is used before it is ready');
    return loaded(bytes, maxBytes);
  };
  return Object.assign(compress, {
    ready: async () => {
      loaded ??= await load();
      await loaded.ready?.();
    },
  });
}
