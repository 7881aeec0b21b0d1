import type { CryptoPrimitives } from '@diskstack/core';
import { DiskError } from '@diskstack/core';
import { ecb } from '@noble/ciphers/aes.js';
import { md5, ripemd160, sha1 } from '@noble/hashes/legacy.js';
import { pbkdf2Async } from '@noble/hashes/pbkdf2.js';
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js';

const HASHES = { md5, ripemd160, sha1, sha224, sha256, sha384, sha512 };

function named(name: string) {
  return Object.hasOwn(HASHES, name) ? HASHES[name as keyof typeof HASHES] : undefined;
}

/** Plain JavaScript, by @noble/ciphers and @noble/hashes: browsers have neither ECB nor XTS. */
export const portablePrimitives: CryptoPrimitives = {
  aes(key) {
    // The library lets a cipher object encrypt once only, so that no nonce is used twice. ECB has none.
    const cipher = () => ecb(key, { disablePadding: true });
    return { encrypt: (bytes) => cipher().encrypt(bytes), decrypt: (bytes) => cipher().decrypt(bytes) };
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
