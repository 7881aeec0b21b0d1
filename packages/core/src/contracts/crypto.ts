/** A block cipher with a key: whole blocks, each on its own (ECB). */
export interface BlockCipher {
  /** Bytes of a block: 16 of AES, 8 of older ciphers. */
  readonly blockBytes: number;
  /** A new array, as long as `bytes`, which are whole blocks. */
  encrypt(bytes: Uint8Array): Uint8Array;
  decrypt(bytes: Uint8Array): Uint8Array;
}

/**
 * What a platform gives: blocks, hashes, key derivation. `portablePrimitives` of `@diskstack/crypto` runs everywhere; `nodePrimitives` of
 * `@diskstack/crypto/node` is many times faster.
 */
export interface CryptoPrimitives {
  /** AES with a key of 16, 24 or 32 bytes. */
  aes(key: Uint8Array): BlockCipher;
  /** `undefined` for a hash that the platform does not have. Names as in LUKS: `'sha256'`, `'ripemd160'`. */
  hash(name: string): HashFunction | undefined;
  /** PBKDF2 (RFC 8018) with HMAC over the hash. */
  pbkdf2(request: Pbkdf2): Promise<Uint8Array>;
}

export interface HashFunction {
  /** Bytes of a digest. */
  readonly bytes: number;
  digest(data: Uint8Array): Uint8Array;
}

export interface Pbkdf2 {
  readonly hash: string;
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** Bytes to derive. */
  readonly length: number;
}

/** Asks for the key of one encrypted image. */
export interface KeyRequest {
  /** Path of the image, where it has one. */
  readonly location: string | undefined;
  /** How the image uses it: `'aes'` is QCOW's legacy encryption. */
  readonly kind: 'aes' | 'luks';
}

/** The service that has keys: the bytes of the passphrase, or `undefined` when it has none for this image. */
export interface KeyProvider {
  keyFor(request: KeyRequest): Promise<Uint8Array | undefined>;
}
