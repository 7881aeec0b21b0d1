import type { CryptoPrimitives, HashFunction } from '@diskstack/core';
import {
  DEFAULT_LIMITS,
  DiskError,
  type DiskModule,
  type Io,
  readFully,
  untilAborted,
} from '@diskstack/core';
import { sectorCipher } from '../cipher-spec.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { SECTOR } from '../units.ts';
import { mergeStripes } from './anti-forensic.ts';
import type { KeySlot, Luks1Header } from './header.ts';

/** Bounds on what a header can ask of us. */
const MAX_KEY_BYTES = 128;
const MAX_STRIPES = 16_384; // every writer uses 4000
/** About ten seconds of PBKDF2; writers stay at one or two. */
const MAX_ITERATIONS = 50_000_000;

/** A LUKS header and the disk that it stands on. */
export interface Luks1Volume {
  readonly header: Luks1Header;
  readonly disk: DiskModule;
  /** Byte of the header on the disk. */
  readonly at: number;
  /** Rounds of key derivation, of all key slots together: a wrong passphrase is tried on each of them. */
  readonly maxIterations?: number;
}

/** The payload's cipher, by the first key slot that the passphrase opens; `ERR_WRONG_KEY` when it opens none. */
export async function unlockLuks1(
  volume: Luks1Volume,
  passphrase: Uint8Array,
  primitives: CryptoPrimitives,
  io: Io,
): Promise<SectorCipher> {
  const masterKey = await masterKeyBy(volume, passphrase, primitives, io);
  return cipherOf(volume.header, masterKey, primitives);
}

/** The master key, by the first key slot that the passphrase opens; `ERR_WRONG_KEY` when it opens none. */
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
  check('the sum of iterations', total, maxIterations, at);
  for (const [index, slot] of header.slots.entries()) {
    if (!slot.active) continue;
    const masterKey = await openSlot(volume, slot, passphrase, hash, primitives, io);
    if (masterKey !== undefined) yield { index, masterKey };
  }
}

export function cipherOf(
  header: Pick<Luks1Header, 'cipherName' | 'cipherMode'>,
  key: Uint8Array,
  primitives: CryptoPrimitives,
): SectorCipher {
  return sectorCipher({ name: header.cipherName, mode: header.cipherMode }, key, primitives);
}

/** The master key that the slot holds, if the passphrase is the slot's. */
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
      `key material up to byte ${at + slot.keyOffset + material.length}, the file ends at ${disk.size()}`,
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
  throw new DiskError('ERR_LIMIT', `${field} is ${value} in the LUKS header, 1 to ${maximum} are allowed`, {
    offset,
  });
}
