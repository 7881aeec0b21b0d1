import type { BlockCipher, CryptoPrimitives } from '@diskstack/core';
import { DiskError } from '@diskstack/core';
import { cast5 } from './ciphers/cast5.ts';
import { serpent } from './ciphers/serpent.ts';
import { twofish } from './ciphers/twofish.ts';
import { essiv, type InitialVectors, plain, plain64 } from './initial-vectors.ts';
import { cbc } from './modes/cbc.ts';
import { ctr } from './modes/ctr.ts';
import { ecb } from './modes/ecb.ts';
import { XTS_BLOCK, xts } from './modes/xts.ts';
import type { SectorCipher } from './sector-cipher.ts';

/** A cipher as dm-crypt and LUKS name it: `aes` with `xts-plain64`, `cbc-essiv:sha256`, `ecb` … */
export interface CipherSpec {
  readonly name: string;
  /** Mode, generator of vectors and its hash: `mode[-ivgen[:hash]]`. */
  readonly mode: string;
}

export interface CipherMode {
  readonly mode: string;
  /** Absent with `ecb`. */
  readonly vectors?: string;
  readonly vectorHash?: string;
}

/** `'cbc-essiv:sha256'` in its parts. */
export function parseMode(text: string): CipherMode {
  const [, mode = text, vectors, vectorHash] = /^([^-]*)(?:-([^:]*)(?::(.*))?)?$/.exec(text) ?? [];
  return {
    mode,
    ...(vectors === undefined ? {} : { vectors }),
    ...(vectorHash === undefined ? {} : { vectorHash }),
  };
}

interface CipherMaker {
  /** Bytes that a key can have. */
  readonly keyBytes: readonly number[];
  readonly make: (key: Uint8Array, primitives: CryptoPrimitives) => BlockCipher;
}

/** The block ciphers, by their names in dm-crypt. AES is the platform's, no platform has the others. */
const BLOCK_CIPHERS: ReadonlyMap<string, CipherMaker> = new Map<string, CipherMaker>([
  ['aes', { keyBytes: [16, 24, 32], make: (key, primitives) => primitives.aes(key) }],
  ['cast5', { keyBytes: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], make: cast5 }],
  ['serpent', { keyBytes: [16, 24, 32], make: serpent }],
  ['twofish', { keyBytes: [16, 24, 32], make: twofish }],
]);

/** The cipher for whole sectors; `ERR_UNSUPPORTED` names the part that is not known. */
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
        `the cipher mode xts is for blocks of ${XTS_BLOCK} bytes, ${spec.name} has blocks of ${data.blockBytes}`,
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
    `the cipher mode ${mode} is not supported; cbc, ctr, ecb and xts are`,
  );
}

/** The cipher by its name, still to be given a key. */
function blockCipher(name: string, primitives: CryptoPrimitives): (key: Uint8Array) => BlockCipher {
  const known = BLOCK_CIPHERS.get(name);
  if (known === undefined) {
    const names = [...BLOCK_CIPHERS.keys()].join(', ');
    throw new DiskError('ERR_UNSUPPORTED', `the cipher ${name} is not supported; ${names} are`);
  }
  const { keyBytes, make } = known;
  return (key) => {
    if (keyBytes.includes(key.length)) return make(key, primitives);
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `${name} with a key of ${key.length} bytes; ${keyBytes.join(', ')} are possible`,
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
    `the vector generator ${generator} is not supported; essiv, plain, plain64 are`,
  );
}
