import { DiskError, quote } from '@diskstack/core';
import { bytes, SECTOR, struct, u16, u32 } from '@diskstack/core/format';

/** LUKS 1 on-disk format 1.2.2, figure 3 ("PHDR"), without the key slots that follow it. */
const PHDR = struct('big', {
  magic: bytes(6),
  version: u16,
  cipherName: bytes(32),
  cipherMode: bytes(32),
  hashSpec: bytes(32),
  payloadOffset: u32,
  keyBytes: u32,
  mkDigest: bytes(20),
  mkDigestSalt: bytes(32),
  mkDigestIterations: u32,
  uuid: bytes(40),
});

/** Figure 4: one of the eight key slots. */
const KEY_SLOT = struct('big', {
  active: u32,
  iterations: u32,
  salt: bytes(32),
  keyMaterialOffset: u32,
  stripes: u32,
});

export const SLOTS = 8;
const ACTIVE = 0x00ac71f3;
const INACTIVE = 0x0000dead;
const MAGIC = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe];

/** Size of the header with its key slots, in bytes. */
export const HEADER_BYTES: number = PHDR.size + SLOTS * KEY_SLOT.size;

/** A key slot: the master key, encrypted with a passphrase. */
export interface KeySlot {
  readonly active: boolean;
  /** Iterations of PBKDF2 for the passphrase. */
  readonly iterations: number;
  readonly salt: Uint8Array;
  /** The byte of the volume at which the key material starts. */
  readonly keyOffset: number;
  /** Stripes of the key material: see `mergeStripes`. */
  readonly stripes: number;
}

/** The decoded header of a LUKS 1 volume. Fields with `mk` describe the digest of the master key. */
export interface Luks1Header {
  readonly cipherName: string;
  readonly cipherMode: string;
  readonly hash: string;
  /** The byte of the volume at which the payload starts. */
  readonly payloadOffset: number;
  /** Size of the master key in bytes. */
  readonly keyBytes: number;
  readonly mkDigest: Uint8Array;
  readonly mkDigestSalt: Uint8Array;
  readonly mkDigestIterations: number;
  readonly uuid: string;
  readonly slots: readonly KeySlot[];
}

/**
 * Decodes the header of a LUKS 1 volume from its first `HEADER_BYTES` bytes. Throws `ERR_CORRUPT`, or `ERR_UNSUPPORTED`
 * for another version.
 *
 * @param at the byte of the header in its file, for the offsets of errors
 */
export function decodeLuks1Header(data: Uint8Array, at: number): Luks1Header {
  const phdr = PHDR.decode(data, at);
  if (MAGIC.some((byte, index) => phdr.magic[index] !== byte)) {
    throw new DiskError('ERR_CORRUPT', 'the LUKS header has a wrong magic', { offset: at });
  }
  if (phdr.version !== 1) {
    throw new DiskError('ERR_UNSUPPORTED', `LUKS version ${phdr.version} is not supported; version 1 is`, {
      offset: at + PHDR.at.version,
    });
  }
  const slots = Array.from({ length: SLOTS }, (_, index) => {
    const slotAt = PHDR.size + index * KEY_SLOT.size;
    const slot = KEY_SLOT.decode(data.subarray(slotAt), at + slotAt);
    const { iterations, salt, stripes } = slot;
    return {
      active: slot.active === ACTIVE,
      iterations,
      salt,
      keyOffset: slot.keyMaterialOffset * SECTOR,
      stripes,
    };
  });
  return {
    cipherName: text(phdr.cipherName),
    cipherMode: text(phdr.cipherMode),
    hash: text(phdr.hashSpec),
    payloadOffset: phdr.payloadOffset * SECTOR,
    keyBytes: phdr.keyBytes,
    mkDigest: phdr.mkDigest,
    mkDigestSalt: phdr.mkDigestSalt,
    mkDigestIterations: phdr.mkDigestIterations,
    uuid: text(phdr.uuid),
    slots,
  };
}

/** Encodes a header to `HEADER_BYTES` bytes. */
export function encodeLuks1Header(header: Luks1Header): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(HEADER_BYTES);
  data.set(
    PHDR.encode({
      magic: Uint8Array.from(MAGIC),
      version: 1,
      cipherName: asciiBytes(header.cipherName),
      cipherMode: asciiBytes(header.cipherMode),
      hashSpec: asciiBytes(header.hash),
      payloadOffset: header.payloadOffset / SECTOR,
      keyBytes: header.keyBytes,
      mkDigest: header.mkDigest,
      mkDigestSalt: header.mkDigestSalt,
      mkDigestIterations: header.mkDigestIterations,
      uuid: asciiBytes(header.uuid),
    }),
  );
  for (const [index, { active, iterations, salt, keyOffset, stripes }] of header.slots.entries()) {
    const slot = { active: active ? ACTIVE : INACTIVE, iterations, salt, stripes };
    data.set(
      KEY_SLOT.encode({ ...slot, keyMaterialOffset: keyOffset / SECTOR }),
      PHDR.size + index * KEY_SLOT.size,
    );
  }
  return data;
}

function asciiBytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** Decodes a text field up to its first NUL. Names of ciphers, modes and hashes have letters, digits and `_ : . -` only. */
function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  const value = String.fromCharCode(...field.subarray(0, end < 0 ? field.length : end));
  if (!/^[\w:.-]*$/.test(value))
    throw new DiskError('ERR_CORRUPT', `the LUKS header contains the invalid name ${quote(value)}`);
  return value;
}
