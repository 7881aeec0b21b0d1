import { createCipheriv, createHash, pbkdf2Sync } from 'node:crypto';

/** LUKS 1 on-disk format, figures 3 and 4: byte of each field. */
export const AT = {
  magic: 0,
  version: 6,
  cipherName: 8,
  cipherMode: 40,
  hashSpec: 72,
  payloadOffset: 104,
  keyBytes: 108,
  mkDigest: 112,
  mkDigestSalt: 132,
  mkDigestIterations: 164,
  uuid: 168,
} as const;
export const SLOT = { active: 0, iterations: 4, salt: 8, keyMaterialOffset: 40, stripes: 44 } as const;

const STRIPES = 4000;
const HASH = 'sha256';

/** Byte of a field of key slot `slot`. */
export function slotAt(slot: number, field: keyof typeof SLOT): number {
  return 208 + slot * 48 + SLOT[field];
}

/** A LUKS 1 header with AES-128 in CBC mode, and one key slot for each passphrase; `undefined` leaves a slot empty. */
export function luksVolume(masterKey: Uint8Array, passphrases: readonly (string | undefined)[]): Buffer {
  const keyBytes = masterKey.length;
  const slotBytes = Math.ceil((keyBytes * STRIPES) / 4096) * 4096;
  const volume = Buffer.alloc(4096 + 8 * slotBytes);
  volume.set([0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe, 0, 1]);
  volume.write('aes', AT.cipherName);
  volume.write('cbc-plain64', AT.cipherMode);
  volume.write(HASH, AT.hashSpec);
  volume.writeUInt32BE(volume.length / 512, AT.payloadOffset);
  volume.writeUInt32BE(keyBytes, AT.keyBytes);
  const salt = createHash('sha256').update('digest').digest();
  volume.set(pbkdf2Sync(masterKey, salt, 100, 20, HASH), AT.mkDigest);
  volume.set(salt, AT.mkDigestSalt);
  volume.writeUInt32BE(100, AT.mkDigestIterations);
  volume.write('01234567-89ab-cdef-0123-456789abcdef', AT.uuid);
  for (let slot = 0; slot < 8; slot++) {
    const passphrase = passphrases[slot];
    const keyAt = 4096 + slot * slotBytes;
    const slotSalt = createHash('sha256').update(`slot ${slot}`).digest();
    volume.writeUInt32BE(passphrase === undefined ? 0x0000dead : 0x00ac71f3, slotAt(slot, 'active'));
    volume.writeUInt32BE(200 + slot, slotAt(slot, 'iterations'));
    volume.set(slotSalt, slotAt(slot, 'salt'));
    volume.writeUInt32BE(keyAt / 512, slotAt(slot, 'keyMaterialOffset'));
    volume.writeUInt32BE(STRIPES, slotAt(slot, 'stripes'));
    if (passphrase === undefined) continue;
    const slotKey = pbkdf2Sync(passphrase, slotSalt, 200 + slot, keyBytes, HASH);
    volume.set(encryptSectors(split(masterKey), slotKey), keyAt);
  }
  return volume;
}

/** LUKS 1 on-disk format, 2.4: every stripe but the last is random, here by a hash. */
function split(key: Uint8Array): Buffer {
  const material = Buffer.alloc(Math.ceil((key.length * STRIPES) / 512) * 512);
  let sum: Buffer = Buffer.alloc(key.length);
  for (let stripe = 0; stripe < STRIPES - 1; stripe++) {
    const random = createHash('sha512').update(`stripe ${stripe}`).digest().subarray(0, key.length);
    material.set(random, stripe * key.length);
    sum = diffuse(xor(sum, random));
  }
  material.set(xor(sum, key), (STRIPES - 1) * key.length);
  return material;
}

function diffuse(block: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, number = 0; at < block.length; at += 32, number++) {
    const part = block.subarray(at, at + 32);
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(number);
    parts.push(createHash(HASH).update(counter).update(part).digest().subarray(0, part.length));
  }
  return Buffer.concat(parts);
}

function xor(one: Uint8Array, other: Uint8Array): Buffer {
  return Buffer.from(one.map((byte, index) => byte ^ (other[index] ?? 0)));
}

function encryptSectors(bytes: Buffer, key: Uint8Array): Buffer {
  const sectors: Buffer[] = [];
  for (let sector = 0; sector * 512 < bytes.length; sector++) {
    const vector = Buffer.alloc(16);
    vector.writeUInt32LE(sector);
    const cipher = createCipheriv('aes-128-cbc', key, vector).setAutoPadding(false);
    sectors.push(cipher.update(bytes.subarray(sector * 512, (sector + 1) * 512)));
  }
  return Buffer.concat(sectors);
}
