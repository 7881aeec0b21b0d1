import { DiskError } from '@diskstack/core';
import type { CryptoPrimitives } from '@diskstack/core/format';
import { unsafe } from '@noble/ciphers/aes.js';
import { md5, ripemd160, sha1 } from '@noble/hashes/legacy.js';
import { pbkdf2Async } from '@noble/hashes/pbkdf2.js';
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js';

/** Block size of AES in bytes. */
const BLOCK_BYTES = 16;

const HASHES = { md5, ripemd160, sha1, sha224, sha256, sha384, sha512 };

function named(name: string) {
  return Object.hasOwn(HASHES, name) ? HASHES[name as keyof typeof HASHES] : undefined;
}

type BlockFunction = typeof unsafe.encrypt;

/** ECB over whole buffers, as in the library, but with a key that is expanded once and not in every call. */
function eachBlock(
  transform: BlockFunction,
  roundKeys: Uint32Array<ArrayBuffer>,
  bytes: Uint8Array,
): Uint8Array {
  const result = bytes.slice();
  const words = new Uint32Array(result.buffer);
  for (let at = 0; at < words.length; at += 4) {
    const { s0, s1, s2, s3 } = transform(
      roundKeys,
      words[at] as number,
      words[at + 1] as number,
      words[at + 2] as number,
      words[at + 3] as number,
    );
    words[at] = s0;
    words[at + 1] = s1;
    words[at + 2] = s2;
    words[at + 3] = s3;
  }
  return result;
}

/** Primitives in plain JavaScript, from @noble/ciphers and @noble/hashes. Web Crypto has neither ECB nor XTS. */
export const portablePrimitives: CryptoPrimitives = {
  aes(key) {
    const encryptKeys = unsafe.expandKeyLE(key);
    const decryptKeys = unsafe.expandKeyDecLE(key);
    return {
      blockBytes: BLOCK_BYTES,
      encrypt: (bytes) => eachBlock(unsafe.encrypt, encryptKeys, bytes),
      decrypt: (bytes) => eachBlock(unsafe.decrypt, decryptKeys, bytes),
    };
  },
  hash(name) {
    const hash = named(name);
    return hash && { bytes: hash.outputLen, digest: (data) => hash(data) };
  },
  async pbkdf2({ hash: name, password, salt, iterations, length }) {
    const hash = named(name);
    if (hash === undefined) throw new DiskError('ERR_UNSUPPORTED', `the hash ${name} is not available`);
    return pbkdf2Async(hash, password, salt, { c: iterations, dkLen: length });
  },
};
