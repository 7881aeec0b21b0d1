import { MemoryDisk } from '@diskstack/core';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import {
  decodeLuks1Header,
  formatLuks1,
  type Luks1Settings,
  luks1PayloadOffset,
  platformRandom,
  unlockLuks1,
} from '../../src/index.ts';
import { mergeStripes, splitStripes } from '../../src/luks1/anti-forensic.ts';
import { nodePrimitives } from '../../src/node/index.ts';
import { counting, EACH_PRIMITIVES } from '../support/primitives.ts';

const passphrase = new TextEncoder().encode('open sesame');

/** A deterministic random source, so that failures can be reproduced. */
function seeded(): (length: number) => Uint8Array {
  let state = 1;
  return (length) =>
    Uint8Array.from({ length }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 24;
    });
}

async function unlock(bytes: Uint8Array, secret = passphrase, primitives = nodePrimitives) {
  const disk = new MemoryDisk(bytes);
  await disk.init();
  return unlockLuks1({ header: decodeLuks1Header(bytes, 0), disk, at: 0 }, secret, primitives, {});
}

const SETTINGS: readonly Luks1Settings[] = [
  {},
  { cipher: 'aes-128', mode: 'cbc', ivgen: 'plain' },
  { cipher: 'aes-256', mode: 'cbc', ivgen: 'essiv', ivgenHash: 'sha256' },
  { cipher: 'serpent-192', mode: 'ctr', hash: 'sha512' },
  { cipher: 'twofish-256', hash: 'ripemd160' },
  { cipher: 'cast5-128', mode: 'cbc', ivgen: 'plain64', hash: 'sha1' },
  { cipher: 'aes-192', mode: 'ecb' },
];

describe.each(EACH_PRIMITIVES)('formatLuks1 with %s', (_, primitives) => {
  test.each(SETTINGS)('%o opens with its passphrase alone', async (settings) => {
    const given = { passphrase, settings: { iterations: 1000, ...settings }, random: seeded() };
    const { bytes, cipher } = await formatLuks1(given, primitives);
    expect(bytes).toHaveLength(luks1PayloadOffset(settings));
    const opened = await unlock(bytes);
    const [expected, got] = [counting(2048), counting(2048)];
    cipher.encrypt(expected, 77);
    opened.encrypt(got, 77);
    expect(got).toEqual(expected);
    expect(got).not.toEqual(counting(2048));
    const error = await diskErrorOf(() => unlock(bytes, new TextEncoder().encode('open barley')));
    expect(error.code).toBe('ERR_WRONG_KEY');
  });
});

test('the header says what was asked for', async () => {
  const settings = { cipher: 'aes-256', mode: 'xts', hash: 'sha256', iterations: 80_000 };
  const { bytes } = await formatLuks1({ passphrase, settings, random: seeded() }, nodePrimitives);
  const header = decodeLuks1Header(bytes, 0);
  expect(header).toMatchObject({
    cipherName: 'aes',
    cipherMode: 'xts-plain64',
    hash: 'sha256',
    keyBytes: 64,
    payloadOffset: 2_068_480,
    mkDigestIterations: 10_000,
  });
  expect(header.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(header.slots.map(({ active }) => active)).toEqual([true, ...Array(7).fill(false)]);
  expect(header.slots.map(({ keyOffset }) => keyOffset)).toEqual(
    Array.from({ length: 8 }, (_, slot) => 4096 + slot * 258_048),
  );
  expect(header.slots[0]).toMatchObject({ iterations: 80_000, stripes: 4000 });
});

test('a time is turned into rounds, and never into fewer than 1000', async () => {
  const rounds = async (iterTime: number): Promise<number> => {
    const { bytes } = await formatLuks1({ passphrase, settings: { iterTime } }, nodePrimitives);
    return decodeLuks1Header(bytes, 0).slots[0]?.iterations ?? 0;
  };
  expect(await rounds(0.001)).toBe(1000);
  expect(await rounds(200)).toBeGreaterThan(1000);
});

test('two volumes have nothing in common', async () => {
  const make = async (): Promise<Uint8Array> =>
    (await formatLuks1({ passphrase, settings: { iterations: 1000 } }, nodePrimitives)).bytes;
  const [one, other] = [await make(), await make()];
  expect(decodeLuks1Header(one, 0).uuid).not.toBe(decodeLuks1Header(other, 0).uuid);
  expect(one.subarray(4096, 8192)).not.toEqual(other.subarray(4096, 8192));
});

test('split stripes merge to the key, and not without one of them', () => {
  const hash = nodePrimitives.hash('sha256');
  if (hash === undefined) throw new Error('no sha256');
  const key = counting(64, 9);
  const material = splitStripes(key, 40, hash, seeded());
  expect(mergeStripes(material, 64, 40, hash)).toEqual(key);
  material[5 * 64] = (material[5 * 64] ?? 0) ^ 1;
  expect(mergeStripes(material, 64, 40, hash)).not.toEqual(key);
});

test('the platform gives more random bytes than it gives at a time', () => {
  const bytes = platformRandom(200_000);
  for (let at = 0; at < bytes.length; at += 50_000)
    expect(bytes.subarray(at, at + 50_000).some((byte) => byte !== 0)).toBe(true);
});

test.each<[string, Luks1Settings, string]>([
  ['a cipher without key bits', { cipher: 'aes' }, 'ERR_ARGUMENT'],
  ['a cipher that is not known', { cipher: 'rot13-256' }, 'ERR_UNSUPPORTED'],
  ['a key that the cipher has not', { cipher: 'aes-160' }, 'ERR_UNSUPPORTED'],
  ['a mode that is not known', { mode: 'gcm' }, 'ERR_UNSUPPORTED'],
  ['xts over blocks of 8 bytes', { cipher: 'cast5-128' }, 'ERR_UNSUPPORTED'],
  ['vectors that are not known', { ivgen: 'random' }, 'ERR_UNSUPPORTED'],
  ['a hash that is not known', { hash: 'crc32' }, 'ERR_UNSUPPORTED'],
  ['a hash of essiv that fits no key', { mode: 'cbc', ivgen: 'essiv', ivgenHash: 'sha1' }, 'ERR_UNSUPPORTED'],
  ['no time at all', { iterations: undefined, iterTime: 0 }, 'ERR_ARGUMENT'],
  ['more rounds than the header has room for', { iterations: 2 ** 32 }, 'ERR_ARGUMENT'],
])('%s is refused', async (_, settings, code) => {
  const given = { passphrase, settings: { iterations: 1000, ...settings } };
  expect((await diskErrorOf(() => formatLuks1(given, nodePrimitives))).code).toBe(code);
});

test('an abort ends the measuring of time', async () => {
  const error = await diskErrorOf(() =>
    formatLuks1({ passphrase }, nodePrimitives, { signal: AbortSignal.abort() }),
  );
  expect(error.code).toBe('ERR_ABORTED');
});
