import { DiskError, type Io } from '@diskstack/core';
import { type CryptoPrimitives, roundUp, SECTOR, untilAborted } from '@diskstack/core/format';
import type { RandomSource } from '../random.ts';
import { platformRandom } from '../random.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { splitStripes } from './anti-forensic.ts';
import { encodeLuks1Header, type KeySlot, type Luks1Header, SLOTS } from './header.ts';
import { roundsPerSecond } from './iterations.ts';
import { cipherOf } from './unlock.ts';

/** Settings for a new volume, with the names of `qemu-img create -o encrypt.…`. */
export interface Luks1Settings {
  /** Cipher and key length in bits: `aes-256`, `serpent-128`, `twofish-192`, `cast5-128` … Default: `aes-256`. */
  readonly cipher?: string | undefined;
  /** Cipher mode: `xts`, `cbc`, `ctr` or `ecb`. Default: `xts`, which doubles the key. */
  readonly mode?: string | undefined;
  /** IV generator: `plain64`, `plain` or `essiv`. Default: `plain64`. */
  readonly ivgen?: string | undefined;
  /** Hash of the IV generator `essiv`. Default: `sha256`. */
  readonly ivgenHash?: string | undefined;
  /** Hash of the key derivation (PBKDF2) and of anti-forensic splitting. Default: `sha256`. */
  readonly hash?: string | undefined;
  /** Time to unlock a key slot on this machine, in milliseconds. Default: 2000. */
  readonly iterTime?: number | undefined;
  /** Iterations of the key derivation, instead of `iterTime`. */
  readonly iterations?: number | undefined;
}

/** A volume to format. */
export interface NewLuks1 {
  /** Passphrase of key slot 0. */
  readonly passphrase: Uint8Array;
  readonly settings?: Luks1Settings | undefined;
  /** Default: `platformRandom`. */
  readonly random?: RandomSource | undefined;
}

/** A formatted volume. */
export interface Luks1Format {
  /** Header and key material: everything before the payload, which starts at byte `bytes.length`. */
  readonly bytes: Uint8Array;
  /** The cipher of the payload. Its sector 0 is the first one of the payload. */
  readonly cipher: SectorCipher;
}

/** LUKS 1 on-disk format, "Implementation Details": the number that all implementations use. */
export const STRIPES = 4000;
const KEY_MATERIAL_ALIGNMENT = 4096;
const DIGEST_BYTES = 20;
export const SALT_BYTES = 32;
const MIN_ITERATIONS = 1000;
const MAX_ITERATIONS = 2 ** 32 - 1;
const DEFAULT_ITER_TIME = 2000;
/** Share of the iterations for the master key digest, which is computed once more for each slot that is tried. */
const DIGEST_PART = 1 / 8;

interface Cipher {
  readonly name: string;
  readonly mode: string;
  readonly hash: string;
  /** Size of the master key in bytes. For XTS it consists of two keys. */
  readonly keyBytes: number;
}

/** The byte of the volume at which its payload starts, for these settings. */
export function luks1PayloadOffset(settings: Luks1Settings = {}): number {
  return slotOffset(parseCipher(settings).keyBytes, SLOTS);
}

/**
 * Formats a volume (LUKS 1 on-disk format, "Initialization"): a random master key, and key slot 0 for the passphrase. It
 * writes nothing: the caller stores the bytes. Throws `ERR_ARGUMENT` for bad settings, `ERR_UNSUPPORTED` for an unknown
 * cipher, mode or hash.
 */
export async function formatLuks1(
  { passphrase, settings = {}, random = platformRandom }: NewLuks1,
  primitives: CryptoPrimitives,
  io: Io = {},
): Promise<Luks1Format> {
  const { name, mode, hash, keyBytes } = parseCipher(settings);
  const hashFunction = primitives.hash(hash);
  if (hashFunction === undefined) throw new DiskError('ERR_UNSUPPORTED', `the hash ${hash} is not available`);
  const masterKey = random(keyBytes);
  const spec = { cipherName: name, cipherMode: mode };
  const cipher = cipherOf(spec, masterKey, primitives); // first, so that an unknown cipher is refused before any work

  const iterations = await iterationsOf(settings, hash, keyBytes, primitives, io);
  const digestIterations = Math.max(MIN_ITERATIONS, Math.floor(iterations * DIGEST_PART));
  const derive = (password: Uint8Array, salt: Uint8Array, rounds: number, length: number) =>
    untilAborted(primitives.pbkdf2({ hash, password, salt, iterations: rounds, length }), io.signal);
  const mkDigestSalt = random(SALT_BYTES);
  const mkDigest = await derive(masterKey, mkDigestSalt, digestIterations, DIGEST_BYTES);
  const salt = random(SALT_BYTES);
  const slotKey = await derive(passphrase, salt, iterations, keyBytes);

  const slots = Array.from(
    { length: SLOTS },
    (_, slot): KeySlot => ({
      active: slot === 0,
      iterations: slot === 0 ? iterations : 0,
      salt: slot === 0 ? salt : new Uint8Array(SALT_BYTES),
      keyOffset: slotOffset(keyBytes, slot),
      stripes: STRIPES,
    }),
  );
  const header: Luks1Header = {
    ...spec,
    hash,
    payloadOffset: slotOffset(keyBytes, SLOTS),
    keyBytes,
    mkDigest,
    mkDigestSalt,
    mkDigestIterations: digestIterations,
    uuid: uuidOf(random(16)),
    slots,
  };
  const material = new Uint8Array(roundUp(keyBytes * STRIPES, SECTOR));
  material.set(splitStripes(masterKey, STRIPES, hashFunction, random));
  cipherOf(spec, slotKey, primitives).encrypt(material, 0);

  const bytes = new Uint8Array(header.payloadOffset);
  bytes.set(encodeLuks1Header(header));
  bytes.set(material, slotOffset(keyBytes, 0));
  return { bytes, cipher };
}

/** The byte of the key material of a slot. It is the formula of cryptsetup, which differs from that of the specification. */
function slotOffset(keyBytes: number, slot: number): number {
  return KEY_MATERIAL_ALIGNMENT + slot * roundUp(keyBytes * STRIPES, KEY_MATERIAL_ALIGNMENT);
}

function parseCipher(settings: Luks1Settings): Cipher {
  const {
    cipher = 'aes-256',
    mode = 'xts',
    ivgen = 'plain64',
    ivgenHash = 'sha256',
    hash = 'sha256',
  } = settings;
  const [, name = '', bits = ''] = /^([a-z0-9]+)-([0-9]{2,3})$/.exec(cipher) ?? [];
  const keyBytes = Number(bits) / 8;
  if (name === '' || !Number.isInteger(keyBytes))
    throw new DiskError(
      'ERR_ARGUMENT',
      `the cipher ${cipher} is not a name and a key length in bits, like aes-256`,
    );
  return {
    name,
    mode: ivgen === 'essiv' ? `${mode}-essiv:${ivgenHash}` : `${mode}-${ivgen}`,
    hash,
    keyBytes: mode === 'xts' ? keyBytes * 2 : keyBytes,
  };
}

/** The iterations of the key derivation for these settings; measures this machine if they give a time. */
export async function iterationsOf(
  { iterations, iterTime = DEFAULT_ITER_TIME }: Luks1Settings,
  hash: string,
  keyBytes: number,
  primitives: CryptoPrimitives,
  io: Io,
): Promise<number> {
  if (iterations === undefined && !(iterTime > 0))
    throw new DiskError('ERR_ARGUMENT', `the iteration time is ${iterTime} ms; it must be greater than 0`);
  const rounds =
    iterations ?? Math.floor(((await roundsPerSecond(primitives, hash, keyBytes, io)) * iterTime) / 1000);
  if (Number.isSafeInteger(rounds) && rounds >= 0 && rounds <= MAX_ITERATIONS)
    return Math.max(MIN_ITERATIONS, rounds);
  throw new DiskError(
    'ERR_ARGUMENT',
    `${rounds} iterations of key derivation are not possible; the most are ${MAX_ITERATIONS}`,
  );
}

/** A UUID of version 4 (RFC 9562) from 16 random bytes. */
function uuidOf(bytes: Uint8Array): string {
  const marked = Uint8Array.from(bytes);
  marked[6] = ((marked[6] as number) & 0x0f) | 0x40;
  marked[8] = ((marked[8] as number) & 0x3f) | 0x80;
  const digits = Array.from(marked, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
