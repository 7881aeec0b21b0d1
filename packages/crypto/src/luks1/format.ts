import { type CryptoPrimitives, DiskError, type Io, roundUp, untilAborted } from '@diskstack/core';
import type { RandomSource } from '../random.ts';
import { platformRandom } from '../random.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { SECTOR } from '../units.ts';
import { splitStripes } from './anti-forensic.ts';
import { encodeLuks1Header, type KeySlot, type Luks1Header, SLOTS } from './header.ts';
import { roundsPerSecond } from './iterations.ts';
import { cipherOf } from './unlock.ts';

/** How a new volume is encrypted, in the words of `qemu-img create -o encrypt.…`. What is left out is its default. */
export interface Luks1Settings {
  /** Cipher and key bits: `aes-256`, `serpent-128`, `twofish-192`, `cast5-128`. `aes-256` unless told. */
  readonly cipher?: string | undefined;
  /** `xts`, `cbc`, `ctr` or `ecb`. `xts` unless told. */
  readonly mode?: string | undefined;
  /** The generator of vectors: `plain64`, `plain` or `essiv`. `plain64` unless told. */
  readonly ivgen?: string | undefined;
  /** The hash of `essiv`. `sha256` unless told. */
  readonly ivgenHash?: string | undefined;
  /** Of key derivation. `sha256` unless told. */
  readonly hash?: string | undefined;
  /** Milliseconds that unlocking takes on a machine like this. 2000 unless told. */
  readonly iterTime?: number | undefined;
  /** Rounds of key derivation, in place of a time. */
  readonly iterations?: number | undefined;
}

export interface NewLuks1 {
  readonly passphrase: Uint8Array;
  readonly settings?: Luks1Settings | undefined;
  readonly random?: RandomSource | undefined;
}

/** A new volume. */
export interface Luks1Format {
  /** All that stands before the payload: `payloadOffset` bytes. */
  readonly bytes: Uint8Array;
  readonly cipher: SectorCipher;
}

/** LUKS 1 on-disk format, "Implementation Details": what every writer uses. */
export const STRIPES = 4000;
const KEY_MATERIAL_ALIGNMENT = 4096;
const DIGEST_BYTES = 20;
export const SALT_BYTES = 32;
const MIN_ITERATIONS = 1000;
const MAX_ITERATIONS = 2 ** 32 - 1;
const DEFAULT_ITER_TIME = 2000;
/** The digest of the master key is checked for each slot that is tried: it gets a part of the rounds. */
const DIGEST_PART = 1 / 8;

interface Cipher {
  readonly name: string;
  readonly mode: string;
  readonly hash: string;
  /** Bytes of the master key: XTS has two keys. */
  readonly keyBytes: number;
}

/** Byte at which the payload of a volume with these settings begins. */
export function luks1PayloadOffset(settings: Luks1Settings = {}): number {
  return slotOffset(parseCipher(settings).keyBytes, SLOTS);
}

/**
 * LUKS 1 on-disk format, "Initialization": a random master key, and one key slot that the passphrase opens. Nothing is
 * written anywhere: the bytes are the caller's to place.
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
  const cipher = cipherOf(spec, masterKey, primitives); // before any work, so that a cipher that is not known is refused

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

/** As cryptsetup places them, and not as the specification's own formula does. */
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
    throw new DiskError('ERR_ARGUMENT', `the cipher ${cipher}; name it with its key bits, as aes-256`);
  return {
    name,
    mode: ivgen === 'essiv' ? `${mode}-essiv:${ivgenHash}` : `${mode}-${ivgen}`,
    hash,
    keyBytes: mode === 'xts' ? keyBytes * 2 : keyBytes,
  };
}

export async function iterationsOf(
  { iterations, iterTime = DEFAULT_ITER_TIME }: Luks1Settings,
  hash: string,
  keyBytes: number,
  primitives: CryptoPrimitives,
  io: Io,
): Promise<number> {
  if (iterations === undefined && !(iterTime > 0))
    throw new DiskError('ERR_ARGUMENT', `an iteration time of ${iterTime} ms; it has to be more than 0`);
  const rounds =
    iterations ?? Math.floor(((await roundsPerSecond(primitives, hash, keyBytes, io)) * iterTime) / 1000);
  if (Number.isSafeInteger(rounds) && rounds >= 0 && rounds <= MAX_ITERATIONS)
    return Math.max(MIN_ITERATIONS, rounds);
  throw new DiskError('ERR_ARGUMENT', `${rounds} rounds of key derivation; ${MAX_ITERATIONS} are the most`);
}

/** RFC 9562, version 4. */
function uuidOf(bytes: Uint8Array): string {
  const marked = Uint8Array.from(bytes);
  marked[6] = ((marked[6] as number) & 0x0f) | 0x40;
  marked[8] = ((marked[8] as number) & 0x3f) | 0x80;
  const digits = Array.from(marked, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
