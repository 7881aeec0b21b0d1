import { DiskError } from '@diskstack/core';
import type { BlockCipher, CryptoPrimitives } from '@diskstack/core/format';
import { cast5 } from './ciphers/cast5.ts';
import { serpent } from './ciphers/serpent.ts';
import { twofish } from './ciphers/twofish.ts';
import { essiv, type InitialVectors, plain, plain64 } from './initial-vectors.ts';
import { cbc } from './modes/cbc.ts';
import { ctr } from './modes/ctr.ts';
import { ecb } from './modes/ecb.ts';
import { XTS_BLOCK, xts } from './modes/xts.ts';
import type { SectorCipher } from './sector-cipher.ts';

/** A cipher with the names of dm-crypt and LUKS: `aes` and `xts-plain64`, `cbc-essiv:sha256`, `ecb` … */
export interface CipherSpec {
  /** `aes`, `cast5`, `serpent`, `twofish`. */
  readonly name: string;
  /** Cipher mode, IV generator and hash of the generator: `mode[-ivgen[:hash]]`. */
  readonly mode: string;
}

/** The parts of `CipherSpec.mode`. */
export interface CipherMode {
  readonly mode: string;
  /** The IV generator. `ecb` needs none. */
  readonly vectors?: string;
  /** The hash of the generator `essiv`. */
  readonly vectorHash?: string;
}

/** Splits `mode[-ivgen[:hash]]`, for example `'cbc-essiv:sha256'`. It does not check the names. */
export function parseMode(text: string): CipherMode {
  const [, mode = text, vectors, vectorHash] = /^([^-]*)(?:-([^:]*)(?::(.*))?)?$/.exec(text) ?? [];
  return {
    mode,
    ...(vectors === undefined ? {} : { vectors }),
    ...(vectorHash === undefined ? {} : { vectorHash }),
  };
}

interface CipherMaker {
  /** Possible key lengths in bytes. */
  readonly keyBytes: readonly number[];
  readonly make: (key: Uint8Array, primitives: CryptoPrimitives) => BlockCipher;
}

/** The block ciphers, by their names in dm-crypt. AES comes from the platform; no platform has the others. */
const BLOCK_CIPHERS: ReadonlyMap<string, CipherMaker> = new Map<string, CipherMaker>([
  ['aes', { keyBytes: [16, 24, 32], make: (key, primitives) => primitives.aes(key) }],
  ['cast5', { keyBytes: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], make: cast5 }],
  ['serpent', { keyBytes: [16, 24, 32], make: serpent }],
  ['twofish', { keyBytes: [16, 24, 32], make: twofish }],
]);

/**
 * A cipher for sectors of 512 bytes. `key` has the length that the cipher needs, twice that for `xts`. Throws
 * `ERR_UNSUPPORTED` with the name of the cipher, mode, generator or hash that is not supported.
 */
export function sectorCipher(spec: CipherSpec, key: Uint8Array, primitives: CryptoPrimitives): SectorCipher {
  const keyed = blockCipher(spec.name, primitives);
  const parts = parseMode(spec.mode);
  const { mode } = parts;
  const essivCipher = (hashName: string): BlockCipher => {
    const hash = primitives.hash(hashName);
    if (hash !== undefined) return keyed(hash.digest(key));
    throw new DiskError('ERR_UNSUPPORTED', `the hash ${hashName} of essiv is not available`);
  };
  if (mode === 'xts') {
    const half = key.length / 2;
    const [data, tweak] = [keyed(key.subarray(0, half)), keyed(key.subarray(half))];
    if (data.blockBytes !== XTS_BLOCK) {
      throw new DiskError(
        'ERR_UNSUPPORTED',
        `the cipher mode xts needs blocks of ${XTS_BLOCK} bytes, but ${spec.name} has blocks of ${data.blockBytes}`,
      );
    }
    return xts(data, tweak, initialVectors(parts, data.blockBytes, essivCipher));
  }
  const cipher = keyed(key);
  if (mode === 'ecb') return ecb(cipher);
  const vectors = initialVectors(parts, cipher.blockBytes, essivCipher);
  if (mode === 'cbc') return cbc(cipher, vectors);
  if (mode === 'ctr') return ctr(cipher, vectors);
  throw new DiskError(
    'ERR_UNSUPPORTED',
    `the cipher mode ${mode} is not supported; supported are cbc, ctr, ecb, xts`,
  );
}

/** Looks up a cipher by its name. The result takes the key and checks its length. */
function blockCipher(name: string, primitives: CryptoPrimitives): (key: Uint8Array) => BlockCipher {
  const known = BLOCK_CIPHERS.get(name);
  if (known === undefined) {
    const names = [...BLOCK_CIPHERS.keys()].join(', ');
    throw new DiskError('ERR_UNSUPPORTED', `the cipher ${name} is not supported; supported are ${names}`);
  }
  const { keyBytes, make } = known;
  return (key) => {
    if (keyBytes.includes(key.length)) return make(key, primitives);
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `the key of ${name} has ${key.length} bytes; possible are ${keyBytes.join(', ')}`,
    );
  };
}

function initialVectors(
  { vectors: generator, vectorHash }: CipherMode,
  blockBytes: number,
  essivCipher: (hashName: string) => BlockCipher,
): InitialVectors {
  if (generator === 'plain64') return plain64(blockBytes);
  if (generator === 'plain') return plain(blockBytes);
  if (generator === 'essiv' && vectorHash !== undefined) return essiv(essivCipher(vectorHash));
  throw new DiskError(
    'ERR_UNSUPPORTED',
    `the vector generator ${generator} is not supported; supported are essiv with a hash, plain, plain64`,
  );
}
