import { DEFAULT_LIMITS, DiskError, type DiskModule, type Io } from '@diskstack/core';
import {
  type CryptoPrimitives,
  type HashFunction,
  limitError,
  readFully,
  SECTOR,
  untilAborted,
} from '@diskstack/core/format';
import { sectorCipher } from '../cipher-spec.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { mergeStripes } from './anti-forensic.ts';
import type { KeySlot, Luks1Header } from './header.ts';

/** Bounds for the values of a header, which is untrusted. */
const MAX_KEY_BYTES = 128;
const MAX_STRIPES = 16_384; // all implementations use 4000
/** About ten seconds of PBKDF2. Implementations choose one or two seconds. */
const MAX_ITERATIONS = 50_000_000;

/** A LUKS 1 volume on a disk. */
export interface Luks1Volume {
  readonly header: Luks1Header;
  readonly disk: DiskModule;
  /** The byte of the disk at which the header starts. */
  readonly at: number;
  /**
   * The most iterations of key derivation, for all key slots together: a wrong passphrase is tried on each of them.
   * Default: `DEFAULT_LIMITS.maxKeyIterations`.
   */
  readonly maxIterations?: number;
}

/**
 * Unlocks the volume with a passphrase and returns the cipher of the payload. Throws `ERR_WRONG_KEY` if the passphrase
 * opens no key slot, `ERR_LIMIT` if the header asks for too much work.
 */
export async function unlockLuks1(
  volume: Luks1Volume,
  passphrase: Uint8Array,
  primitives: CryptoPrimitives,
  io: Io,
): Promise<SectorCipher> {
  const masterKey = await masterKeyBy(volume, passphrase, primitives, io);
  return cipherOf(volume.header, masterKey, primitives);
}

/** The master key, from the first key slot that the passphrase opens. Throws `ERR_WRONG_KEY` if it opens none. */
export async function masterKeyBy(
  volume: Luks1Volume,
  passphrase: Uint8Array,
  primitives: CryptoPrimitives,
  io: Io,
): Promise<Uint8Array> {
  for await (const { masterKey } of openedSlots(volume, passphrase, primitives, io)) return masterKey;
  throw new DiskError('ERR_WRONG_KEY', 'the passphrase opens none of the key slots', { offset: volume.at });
}

/** Numbers of all key slots that the passphrase opens. */
export async function slotsOpenedBy(
  volume: Luks1Volume,
  passphrase: Uint8Array,
  primitives: CryptoPrimitives,
  io: Io,
): Promise<readonly number[]> {
  const indexes: number[] = [];
  for await (const { index } of openedSlots(volume, passphrase, primitives, io)) indexes.push(index);
  return indexes;
}

async function* openedSlots(
  volume: Luks1Volume,
  passphrase: Uint8Array,
  primitives: CryptoPrimitives,
  io: Io,
): AsyncGenerator<{ readonly index: number; readonly masterKey: Uint8Array }> {
  const { header, at, maxIterations = DEFAULT_LIMITS.maxKeyIterations } = volume;
  const hash = primitives.hash(header.hash);
  if (hash === undefined)
    throw new DiskError('ERR_UNSUPPORTED', `the hash ${header.hash} is not available`, { offset: at });
  check('key_bytes', header.keyBytes, MAX_KEY_BYTES, at);
  check('mk_digest_iterations', header.mkDigestIterations, MAX_ITERATIONS, at);
  const slots = header.slots.filter(({ active }) => active);
  const total = slots.reduce((sum, { iterations }) => sum + iterations + header.mkDigestIterations, 1);
  if (total > maxIterations) {
    const found = `the key slots of the LUKS header take ${total} iterations`;
    throw limitError('maxKeyIterations', { maxKeyIterations: maxIterations }, found, at);
  }
  for (const [index, slot] of header.slots.entries()) {
    if (!slot.active) continue;
    const masterKey = await openSlot(volume, slot, passphrase, hash, primitives, io);
    if (masterKey !== undefined) yield { index, masterKey };
  }
}

/** The cipher of a header with the given key: of the payload with the master key, of key material with a slot's key. */
export function cipherOf(
  header: Pick<Luks1Header, 'cipherName' | 'cipherMode'>,
  key: Uint8Array,
  primitives: CryptoPrimitives,
): SectorCipher {
  return sectorCipher({ name: header.cipherName, mode: header.cipherMode }, key, primitives);
}

/** The master key of a slot; `undefined` if the passphrase does not open it. */
async function openSlot(
  { header, disk, at }: Luks1Volume,
  slot: KeySlot,
  passphrase: Uint8Array,
  hash: HashFunction,
  primitives: CryptoPrimitives,
  io: Io,
): Promise<Uint8Array | undefined> {
  check('stripes', slot.stripes, MAX_STRIPES, at);
  check('iterations', slot.iterations, MAX_ITERATIONS, at);
  const { keyBytes } = header;
  const material = new Uint8Array(Math.ceil((keyBytes * slot.stripes) / SECTOR) * SECTOR);
  if (at + slot.keyOffset + material.length > disk.size()) {
    throw new DiskError(
      'ERR_TRUNCATED',
      `key material ends at byte ${at + slot.keyOffset + material.length}, but the disk ends at ${disk.size()}`,
      { offset: at + slot.keyOffset },
    );
  }
  await readFully(disk, at + slot.keyOffset, material, io);
  const slotKey = await untilAborted(
    primitives.pbkdf2({
      hash: header.hash,
      password: passphrase,
      salt: slot.salt,
      iterations: slot.iterations,
      length: keyBytes,
    }),
    io.signal,
  );
  cipherOf(header, slotKey, primitives).decrypt(material, 0);
  const masterKey = mergeStripes(material, keyBytes, slot.stripes, hash);
  const digest = await untilAborted(
    primitives.pbkdf2({
      hash: header.hash,
      password: masterKey,
      salt: header.mkDigestSalt,
      iterations: header.mkDigestIterations,
      length: header.mkDigest.length,
    }),
    io.signal,
  );
  return digest.every((byte, index) => byte === header.mkDigest[index]) ? masterKey : undefined;
}

function check(field: string, value: number, maximum: number, offset: number): void {
  if (value >= 1 && value <= maximum) return;
  throw new DiskError('ERR_LIMIT', `${field} of the LUKS header is ${value}; 1 to ${maximum} are allowed`, {
    offset,
  });
}
