/** A block cipher with a key. It transforms each block independently (ECB). */
export interface BlockCipher {
  /** Bytes of a block: 16 for AES, 8 for older ciphers. */
  readonly blockBytes: number;
  /** Returns a new array of the same length. `bytes` are whole blocks. */
  encrypt(bytes: Uint8Array): Uint8Array;
  decrypt(bytes: Uint8Array): Uint8Array;
}

/**
 * Block ciphers, hashes and key derivation of a platform. `portablePrimitives` of `@diskstack/crypto` runs everywhere;
 * `nodePrimitives` of `@diskstack/crypto/node` is many times faster.
 */
export interface CryptoPrimitives {
  /** AES with a key of 16, 24 or 32 bytes. */
  aes(key: Uint8Array): BlockCipher;
  /** Returns `undefined` for a hash that the platform does not have. Names as in LUKS: `'sha256'`, `'ripemd160'`. */
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

/** A request for the key of one encrypted image. */
export interface KeyRequest {
  /** Location of the image, if it has one. */
  readonly location: string | undefined;
  /** How the image uses the key. `'aes'` is QCOW's legacy encryption. */
  readonly kind: 'aes' | 'luks';
}

/** The service that provides keys. */
export interface KeyProvider {
  /** Returns the bytes of the passphrase, or `undefined` if there is no key for this image. */
  keyFor(request: KeyRequest): Promise<Uint8Array | undefined>;
}
