import { DiskError, type Io } from '@diskstack/core';
import { type CryptoPrimitives, roundUp, SECTOR, untilAborted } from '@diskstack/core/format';
import { platformRandom, type RandomSource } from '../random.ts';
import { splitStripes } from './anti-forensic.ts';
import { iterationsOf, type Luks1Settings, SALT_BYTES, STRIPES } from './format.ts';
import { encodeLuks1Header, HEADER_BYTES, type KeySlot, type Luks1Header, SLOTS } from './header.ts';
import { cipherOf, type Luks1Volume, masterKeyBy, slotsOpenedBy } from './unlock.ts';

/** A change of the key slots of a volume, with the names of `qemu-img amend -o encrypt.…`. */
export type Luks1SlotChange =
  | {
      readonly state: 'active';
      /** A passphrase of a slot that is active now. */
      readonly passphrase: Uint8Array;
      readonly newPassphrase: Uint8Array;
      /** Default: the first inactive slot. */
      readonly slot?: number | undefined;
      readonly settings?: Pick<Luks1Settings, 'iterTime' | 'iterations'> | undefined;
      /** Replaces the slot even if it is active. */
      readonly force?: boolean | undefined;
    }
  | {
      readonly state: 'inactive';
      /** Erases all slots that this passphrase opens. */
      readonly passphrase?: Uint8Array | undefined;
      /** Erases this slot, whatever its passphrase is. It takes precedence over `passphrase`. */
      readonly slot?: number | undefined;
      /** Erases even the last active slot. All data of the volume is lost then. */
      readonly force?: boolean | undefined;
    };

/** A write to the volume. */
export interface Luks1Write {
  /** Offset in bytes from the start of the LUKS header. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * Computes the writes that change the key slots. The caller makes them in this order and flushes after each. A slot becomes
 * active only after its key material is stored, and inactive before the material is overwritten, so no crash leaves an
 * active slot with wrong material. Throws `ERR_WRONG_KEY`, or `ERR_ARGUMENT` where `force` is needed.
 */
export async function changeLuks1Slots(
  volume: Luks1Volume,
  change: Luks1SlotChange,
  primitives: CryptoPrimitives,
  random: RandomSource = platformRandom,
  io: Io = {},
): Promise<readonly Luks1Write[]> {
  const { slot } = change;
  if (slot !== undefined && !(Number.isInteger(slot) && slot >= 0 && slot < SLOTS))
    throw new DiskError('ERR_ARGUMENT', `key slot ${slot} does not exist; there are 0 to ${SLOTS - 1}`);
  return change.state === 'active'
    ? activate(volume, change, primitives, random, io)
    : erase(volume, change, primitives, random, io);
}

async function activate(
  volume: Luks1Volume,
  change: Luks1SlotChange & { readonly state: 'active' },
  primitives: CryptoPrimitives,
  random: RandomSource,
  io: Io,
): Promise<readonly Luks1Write[]> {
  const { header } = volume;
  const { passphrase, newPassphrase, settings = {}, force = false } = change;
  const index = change.slot ?? header.slots.findIndex(({ active }) => !active);
  const old = header.slots[index];
  if (old === undefined) throw new DiskError('ERR_NO_SPACE', `all ${SLOTS} key slots are in use`);
  if (old.active && !force)
    throw new DiskError('ERR_ARGUMENT', `key slot ${index} is in use: erase it first, or use force`);
  const hash = primitives.hash(header.hash);
  if (hash === undefined) throw new DiskError('ERR_UNSUPPORTED', `the hash ${header.hash} is not available`);
  const length = materialBytes(header, old.stripes === 0 ? STRIPES : old.stripes);
  checkPlace(header, index, length);
  const masterKey = await masterKeyBy(volume, passphrase, primitives, io);
  const iterations = await iterationsOf(settings, header.hash, header.keyBytes, primitives, io);
  const salt = random(SALT_BYTES);
  const slotKey = await untilAborted(
    primitives.pbkdf2({
      hash: header.hash,
      password: newPassphrase,
      salt,
      iterations,
      length: header.keyBytes,
    }),
    io.signal,
  );
  const stripes = old.stripes === 0 ? STRIPES : old.stripes;
  const material = new Uint8Array(length);
  material.set(splitStripes(masterKey, stripes, hash, random));
  cipherOf(header, slotKey, primitives).encrypt(material, 0);
  const inUse: KeySlot = { ...old, active: true, iterations, salt, stripes };
  const writes: Luks1Write[] = [];
  if (old.active) writes.push(headerWith(header, [[index, emptied(old)]]));
  writes.push({ at: old.keyOffset, bytes: material }, headerWith(header, [[index, inUse]]));
  return writes;
}

async function erase(
  volume: Luks1Volume,
  { passphrase, slot, force = false }: Luks1SlotChange & { readonly state: 'inactive' },
  primitives: CryptoPrimitives,
  random: RandomSource,
  io: Io,
): Promise<readonly Luks1Write[]> {
  const { header } = volume;
  const indexes = slot === undefined ? await matching(volume, passphrase, primitives, io) : [slot];
  if (slot !== undefined && header.slots[slot]?.active !== true)
    throw new DiskError('ERR_ARGUMENT', `key slot ${slot} is not in use`);
  const left = header.slots.filter(({ active }, index) => active && !indexes.includes(index));
  if (left.length === 0 && !force)
    throw new DiskError(
      'ERR_ARGUMENT',
      'no key slot would be left, and all data would be lost; use force to erase it nevertheless',
    );
  const erased = indexes.map((index) => [index, emptied(header.slots[index] as KeySlot)] as const);
  const overwritten = indexes.map((index): Luks1Write => {
    const { keyOffset, stripes } = header.slots[index] as KeySlot;
    const length = materialBytes(header, stripes);
    checkPlace(header, index, length);
    return { at: keyOffset, bytes: random(length) };
  });
  return [headerWith(header, erased), ...overwritten];
}

async function matching(
  volume: Luks1Volume,
  passphrase: Uint8Array | undefined,
  primitives: CryptoPrimitives,
  io: Io,
): Promise<readonly number[]> {
  if (passphrase === undefined)
    throw new DiskError('ERR_ARGUMENT', 'which key slot is to be erased? Give its number or its passphrase');
  const indexes = await slotsOpenedBy(volume, passphrase, primitives, io);
  if (indexes.length === 0)
    throw new DiskError('ERR_WRONG_KEY', 'the passphrase opens none of the key slots');
  return indexes;
}

function emptied(slot: KeySlot): KeySlot {
  return { ...slot, active: false, iterations: 0, salt: new Uint8Array(SALT_BYTES) };
}

function headerWith(header: Luks1Header, changes: readonly (readonly [number, KeySlot])[]): Luks1Write {
  const slots = [...header.slots];
  for (const [index, slot] of changes) slots[index] = slot;
  return { at: 0, bytes: encodeLuks1Header({ ...header, slots }) };
}

function materialBytes({ keyBytes }: Luks1Header, stripes: number): number {
  return roundUp(keyBytes * stripes, SECTOR);
}

/** Throws if the key material would overwrite the header, the payload, or the key material of another slot. */
function checkPlace(header: Luks1Header, index: number, length: number): void {
  const { keyOffset } = header.slots[index] as KeySlot;
  const overlaps = header.slots.some((other, at) => {
    const otherLength = materialBytes(header, other.stripes);
    return at !== index && keyOffset < other.keyOffset + otherLength && other.keyOffset < keyOffset + length;
  });
  if (keyOffset >= HEADER_BYTES && keyOffset + length <= header.payloadOffset && !overlaps) return;
  throw new DiskError(
    'ERR_CORRUPT',
    `key slot ${index} has ${length} bytes of key material at byte ${keyOffset}, which overlap the header, the payload or another slot`,
  );
}
