import type { Codec, Codecs, Compress, Decompress } from '../contracts/codec.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';

/**
 * Returns the decompressor of a codec. If the program does not have the codec, the image still opens, and the first unit that
 * needs it fails with `ERR_UNSUPPORTED`.
 */
export function decompressorOf(codecs: Codecs, name: string): Decompress {
  return (
    codecOf(codecs, name)?.decompress ??
    missing(`codec ${quote(name)} is not registered, and the image has compressed bytes that need it`)
  );
}

/** Returns the compressor of a codec. If the program does not have it, its first use fails with `ERR_UNSUPPORTED`. */
export function compressorOf(codecs: Codecs, name: string): Compress {
  const codec = codecOf(codecs, name);
  const why = codec === undefined ? 'is not registered' : 'has no compressor in this program';
  return codec?.compress ?? missing(`codec ${quote(name)} ${why}`);
}

/** Ignores inherited properties: a name such as `constructor` is not a codec. */
function codecOf(codecs: Codecs, name: string): Codec | undefined {
  return Object.hasOwn(codecs, name) ? codecs[name] : undefined;
}

function missing(reason: string): (() => never) & { readonly ready: () => Promise<never> } {
  const fail = (): never => {
    throw new DiskError('ERR_UNSUPPORTED', reason);
  };
  return Object.assign(fail, { ready: async () => fail() });
}
