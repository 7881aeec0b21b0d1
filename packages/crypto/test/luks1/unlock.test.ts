import { type Io, MemoryDisk } from '@diskstack/core';
import type { CryptoPrimitives } from '@diskstack/core/format';
import { diskErrorOf, faultDisk } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { decodeLuks1Header, HEADER_BYTES, sectorCipher, unlockLuks1 } from '../../src/index.ts';
import { nodePrimitives } from '../../src/node/index.ts';
import { AT, luksVolume, slotAt } from '../support/luks-volume.ts';
import { counting, EACH_PRIMITIVES } from '../support/primitives.ts';

const MASTER = counting(16, 77);
const volume = luksVolume(MASTER, [undefined, 'first', 'second']);

async function unlock(
  bytes: Uint8Array,
  passphrase = 'first',
  primitives: CryptoPrimitives = nodePrimitives,
  io: Io = {},
) {
  const disk = new MemoryDisk(bytes, { writable: false });
  await disk.init();
  const header = decodeLuks1Header(bytes, 0);
  return unlockLuks1({ header, disk, at: 0 }, new TextEncoder().encode(passphrase), primitives, io);
}

/** A copy with some bytes changed. */
function patched(patch: (bytes: Buffer) => void): Buffer {
  const copy = Buffer.from(volume);
  patch(copy);
  return copy;
}

const spoiled = (patch: (bytes: Buffer) => void, passphrase?: string) =>
  diskErrorOf(() => unlock(patched(patch), passphrase));

describe.each(EACH_PRIMITIVES)('unlockLuks1 with %s', (_, primitives) => {
  test.each(['first', 'second'])(
    'the passphrase %j opens its slot, and the master key is the volume’s',
    async (passphrase) => {
      const cipher = await unlock(volume, passphrase, primitives);
      const expected = counting(1024);
      sectorCipher({ name: 'aes', mode: 'cbc-plain64' }, MASTER, primitives).encrypt(expected, 5);
      const bytes = counting(1024);
      cipher.encrypt(bytes, 5);
      expect(bytes).toEqual(expected);
    },
  );

  test('another passphrase opens none', async () => {
    const error = await diskErrorOf(() => unlock(volume, 'third', primitives));
    expect(error.code).toBe('ERR_WRONG_KEY');
  });

  test('a volume without an active slot opens by nothing', async () => {
    const closed = luksVolume(MASTER, []);
    expect((await diskErrorOf(() => unlock(closed, 'first', primitives))).code).toBe('ERR_WRONG_KEY');
  });
});

describe('a header from a stranger', () => {
  test.each([
    ['other magic bytes', (b: Buffer) => b.write('LUKX'), 'ERR_CORRUPT', 'magic'],
    ['version 2', (b: Buffer) => b.writeUInt16BE(2, AT.version), 'ERR_UNSUPPORTED', 'version 2'],
    [
      'a cipher that is not known',
      (b: Buffer) => b.write('rot13', AT.cipherName),
      'ERR_UNSUPPORTED',
      'rot13',
    ],
    [
      'a mode that is not known',
      (b: Buffer) => b.write('gcm-plain64', AT.cipherMode),
      'ERR_UNSUPPORTED',
      'gcm',
    ],
    ['a hash that is not known', (b: Buffer) => b.write('crc-32', AT.hashSpec), 'ERR_UNSUPPORTED', 'crc-32'],
    [
      'a name with a control character',
      (b: Buffer) => b.write('a\u001b[2J', AT.cipherName),
      'ERR_CORRUPT',
      'name',
    ],
    [
      'a name without an end',
      (b: Buffer) => b.fill(0x61, AT.hashSpec, AT.hashSpec + 32),
      'ERR_UNSUPPORTED',
      'aaaa',
    ],
    ['no key bytes', (b: Buffer) => b.writeUInt32BE(0, AT.keyBytes), 'ERR_LIMIT', 'key_bytes'],
    [
      '4 GiB of key bytes',
      (b: Buffer) => b.writeUInt32BE(2 ** 32 - 1, AT.keyBytes),
      'ERR_LIMIT',
      'key_bytes',
    ],
    [
      'key bytes that no cipher has',
      (b: Buffer) => b.writeUInt32BE(17, AT.keyBytes),
      'ERR_UNSUPPORTED',
      '17 bytes',
    ],
    [
      'no digest iterations',
      (b: Buffer) => b.writeUInt32BE(0, AT.mkDigestIterations),
      'ERR_LIMIT',
      'mk_digest',
    ],
    [
      '4 billion digest iterations',
      (b: Buffer) => b.writeUInt32BE(2 ** 32 - 1, AT.mkDigestIterations),
      'ERR_LIMIT',
      'mk_digest',
    ],
    ['no iterations', (b: Buffer) => b.writeUInt32BE(0, slotAt(1, 'iterations')), 'ERR_LIMIT', 'iterations'],
    [
      '4 billion iterations',
      (b: Buffer) => b.writeUInt32BE(2 ** 32 - 1, slotAt(1, 'iterations')),
      'ERR_LIMIT',
      'iterations',
    ],
    ['no stripes', (b: Buffer) => b.writeUInt32BE(0, slotAt(1, 'stripes')), 'ERR_LIMIT', 'stripes'],
    [
      '4 billion stripes',
      (b: Buffer) => b.writeUInt32BE(2 ** 32 - 1, slotAt(1, 'stripes')),
      'ERR_LIMIT',
      'stripes',
    ],
    [
      'key material past the end',
      (b: Buffer) => b.writeUInt32BE(2 ** 32 - 1, slotAt(1, 'keyMaterialOffset')),
      'ERR_TRUNCATED',
      'key material',
    ],
  ] as const)('with %s is refused by name, before any work', async (_, patch, code, named) => {
    const error = await spoiled(patch);
    expect(error.code).toBe(code);
    expect(error.reason).toContain(named);
  });

  test('with eight slots of many iterations is refused before the first is tried', async () => {
    const error = await spoiled((bytes) => {
      for (let slot = 0; slot < 8; slot++) {
        bytes.writeUInt32BE(0x00ac71f3, slotAt(slot, 'active'));
        bytes.writeUInt32BE(40_000_000, slotAt(slot, 'iterations'));
      }
    });
    expect(error).toMatchObject({ code: 'ERR_LIMIT' });
  });

  test('an error names the byte of the header', async () => {
    const error = await diskErrorOf(() =>
      decodeLuks1Header(
        patched((bytes) => bytes.writeUInt16BE(9, AT.version)),
        4096,
      ),
    );
    expect(error.offset).toBe(4096 + AT.version);
  });

  test.each([0, 6, 207, HEADER_BYTES - 1])('of %i bytes is truncated', async (length) => {
    const error = await diskErrorOf(() => decodeLuks1Header(volume.subarray(0, length), 0));
    expect(error.code).toBe('ERR_TRUNCATED');
  });

  test('that is cut within its key material is truncated, and not taken for a wrong key', async () => {
    const error = await diskErrorOf(() =>
      unlock(volume.subarray(0, volume.readUInt32BE(slotAt(1, 'keyMaterialOffset')) * 512 + 100)),
    );
    expect(error.code).toBe('ERR_TRUNCATED');
  });

  test('with one changed byte of key material does not open', async () => {
    const error = await spoiled((bytes) => {
      const at = bytes.readUInt32BE(slotAt(1, 'keyMaterialOffset')) * 512 + 30_000;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    });
    expect(error.code).toBe('ERR_WRONG_KEY');
  });
});

test('key material that cannot be read is the disk’s error, and not a wrong key', async () => {
  const disk = faultDisk(new MemoryDisk(volume, { writable: false }), { failAt: 1 });
  await disk.init();
  const header = decodeLuks1Header(volume, 0);
  const passphrase = new TextEncoder().encode('first');
  const unlocking = () => unlockLuks1({ header, disk, at: 0 }, passphrase, nodePrimitives, {});
  expect((await diskErrorOf(unlocking)).code).toBe('ERR_IO');
  expect(await unlocking()).toHaveProperty('decrypt');
});

test('a signal ends a derivation that would take seconds', async () => {
  const slow = patched((bytes) => bytes.writeUInt32BE(30_000_000, slotAt(1, 'iterations')));
  const error = await diskErrorOf(() =>
    unlock(slow, 'first', nodePrimitives, { signal: AbortSignal.timeout(20) }),
  );
  expect(error.code).toBe('ERR_ABORTED');
});

test('more rounds than the caller allows are refused', async () => {
  const disk = new MemoryDisk(volume);
  await disk.init();
  const header = decodeLuks1Header(volume, 0);
  const passphrase = new TextEncoder().encode('first');
  const allowing = (maxIterations: number) =>
    unlockLuks1({ header, disk, at: 0, maxIterations }, passphrase, nodePrimitives, {});
  expect((await diskErrorOf(() => allowing(1))).code).toBe('ERR_LIMIT');
  expect(await allowing(1_000_000)).toHaveProperty('decrypt');
});
