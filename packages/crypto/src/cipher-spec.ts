import type { CryptoPrimitives } from '@diskstack/core';
import { DiskError } from '@diskstack/core';
import { essiv, type InitialVectors, plain, plain64 } from './initial-vectors.ts';
import { cbc } from './modes/cbc.ts';
import { ctr } from './modes/ctr.ts';
import { ecb } from './modes/ecb.ts';
import { xts } from './modes/xts.ts';
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

/** The cipher for whole sectors; `ERR_UNSUPPORTED` names the part that is not known. */
export function sectorCipher(spec: CipherSpec, key: Uint8Array, primitives: CryptoPrimitives): SectorCipher {
  if (spec.name !== 'aes')
    throw new DiskError('ERR_UNSUPPORTED', `the cipher ${spec.name} is not supported, aes is`);
  const { mode, vectors: generator, vectorHash } = parseMode(spec.mode);
  if (mode === 'xts') {
    const half = key.length / 2;
    const [data, tweak] = [aes(key.subarray(0, half), primitives), aes(key.subarray(half), primitives)];
    return xts(data, tweak, initialVectors(generator, vectorHash, key, primitives));
  }
  const cipher = aes(key, primitives);
  if (mode === 'ecb') return ecb(cipher);
  const vectors = initialVectors(generator, vectorHash, key, primitives);
  if (mode === 'cbc') return cbc(cipher, vectors);
  if (mode === 'ctr') return ctr(cipher, vectors);
  throw new DiskError(
    'ERR_UNSUPPORTED',
    `the cipher mode ${mode} is not supported; cbc, ctr, ecb and xts are`,
  );
}

function aes(key: Uint8Array, primitives: CryptoPrimitives) {
  if (key.length === 16 || key.length === 24 || key.length === 32) return primitives.aes(key);
  throw new DiskError('ERR_UNSUPPORTED', `an AES key of ${key.length} bytes; 16, 24 and 32 are possible`);
}

function initialVectors(
  generator: string | undefined,
  hashName: string | undefined,
  key: Uint8Array,
  primitives: CryptoPrimitives,
): InitialVectors {
  if (generator === 'plain64') return plain64;
  if (generator === 'plain') return plain;
  if (generator === 'essiv' && hashName !== undefined) {
    const hash = primitives.hash(hashName);
    if (hash === undefined)
      throw new DiskError('ERR_UNSUPPORTED', `the hash ${hashName} of essiv is not available`);
    return essiv(aes(hash.digest(key), primitives));
  }
  throw new DiskError(
    'ERR_UNSUPPORTED',
    `the vector generator ${generator} is not supported; essiv, plain, plain64 are`,
  );
}
