import { createCipheriv, createDecipheriv, createHash, getHashes, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import type { CryptoPrimitives } from '@diskstack/core/format';

const derive = promisify(pbkdf2);
const available: ReadonlySet<string> = new Set(getHashes());

/** Primitives of OpenSSL, through `node:crypto`: many times faster than `portablePrimitives`. */
export const nodePrimitives: CryptoPrimitives = {
  aes(key) {
    // One cipher object serves all calls: ECB without padding keeps no state between blocks.
    const algorithm = `aes-${key.length * 8}-ecb`;
    const encipher = createCipheriv(algorithm, key, null).setAutoPadding(false);
    const decipher = createDecipheriv(algorithm, key, null).setAutoPadding(false);
    return {
      blockBytes: 16,
      encrypt: (bytes) => encipher.update(bytes),
      decrypt: (bytes) => decipher.update(bytes),
    };
  },
  hash(name) {
    if (!available.has(name)) return undefined;
    const digest = (data: Uint8Array): Uint8Array => createHash(name).update(data).digest();
    return { bytes: digest(new Uint8Array()).length, digest };
  },
  pbkdf2: ({ hash, password, salt, iterations, length }) => derive(password, salt, iterations, length, hash),
};
