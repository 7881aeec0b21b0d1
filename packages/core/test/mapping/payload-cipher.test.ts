import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import type { PayloadCipher } from '../../src/mapping/payload-cipher.ts';
import { describeDiskModule, diskErrorOf, pattern } from '../../src/testing/index.ts';
import { ToyAllocator } from '../support/toy-allocator.ts';
import { CLUSTER, mapped } from '../support/toy-format.ts';

/** Each sector backwards, and every byte changed by the number of its sector: a part of a sector makes no sense alone. */
function toyCipher(sectorSize: number, numbering: PayloadCipher['numbering']): PayloadCipher {
  const work = (bytes: Uint8Array, sector: number): void => {
    expect(bytes.length % sectorSize).toBe(0);
    for (let at = 0; at < bytes.length; at += sectorSize) {
      const key = (sector + at / sectorSize) * 31 + 7;
      const part = bytes.subarray(at, at + sectorSize).reverse();
      for (let index = 0; index < part.length; index++) part[index] = (part[index] ?? 0) ^ (key % 256);
    }
  };
  return { sectorSize, numbering, decrypt: work, encrypt: work };
}

const SIZE = 9 * 4096 + 100;
const STORED = 10 * 4096;
const CONTENT = pattern(SIZE);

/** A disk whose bytes begin at byte `start` of the storage, all of them allocated. */
function flat(cipher: PayloadCipher, start: number) {
  const storage = new MemoryDisk(new Uint8Array(start + STORED));
  const plain = new Uint8Array(STORED);
  plain.set(CONTENT);
  const first = cipher.numbering === 'host' ? start : 0;
  cipher.encrypt(plain, Math.floor(first / cipher.sectorSize));
  storage.bytes.set(plain, start);
  const place = (offset: number, length: number) => ({
    length,
    parts: [{ offset, length, at: start + offset, before: 0, after: 0 }],
  });
  const disk = mapped(
    storage,
    async () => ({
      size: SIZE,
      info: { format: 'toy', virtualSize: SIZE },
      cipher,
      translate(offset, length, extents) {
        extents.data(length, start + offset);
        return undefined;
      },
      writer: { unit: 4096, inPlace: place, place: async (offset, length) => place(offset, length) },
    }),
    'rw',
  );
  /** What the storage holds, decrypted by the test itself. */
  const stored = (): Uint8Array => {
    const bytes = storage.bytes.slice(start);
    cipher.decrypt(bytes, Math.floor(first / cipher.sectorSize));
    return bytes;
  };
  return { disk, storage, stored };
}

const CIPHERS = [512, 1024, 4096].flatMap((size) => [[size, 'guest'] as const, [size, 'host'] as const]);

describe.for(CIPHERS)('sectors of %d bytes, numbered by the %s', ([sectorSize, numbering]) => {
  const cipher = toyCipher(sectorSize, numbering);

  test.for([
    [0, SIZE],
    [0, 1],
    [1, 4095],
    [511, 2],
    [4095, 2],
    [4097, 8191],
    [12_288, 4096],
    [SIZE - 101, 101],
    [SIZE - 1, 1],
  ] as const)('a read at %d of %d bytes', async ([offset, length]) => {
    const { disk } = flat(cipher, 8192);
    await disk.init();
    expect(await disk.read(offset, length)).toEqual(CONTENT.slice(offset, offset + length));
  });

  test.for([
    [0, SIZE],
    [1, 1],
    [513, 1022],
    [4095, 2],
    [4096, 4096],
    [4097, 8191],
    [SIZE - 101, 101],
    [SIZE - 1, 1],
  ] as const)('a write at %d of %d bytes leaves the rest of its sectors', async ([offset, length]) => {
    const { disk, stored } = flat(cipher, 8192);
    await disk.init();
    const expected = CONTENT.slice();
    expected.fill(0xa5, offset, offset + length);
    await disk.write(offset, expected.subarray(offset, offset + length));
    expect(await disk.read(0, SIZE)).toEqual(expected);
    expect(stored().subarray(0, SIZE)).toEqual(expected);
  });

  test('writes to two parts of one sector at the same time both last', async () => {
    const { disk, stored } = flat(cipher, 8192);
    await disk.init();
    const expected = CONTENT.slice();
    const writes: Promise<number>[] = [];
    for (let offset = 4096 + 3; offset < 8192; offset += 97) {
      expected.fill(offset % 251, offset, offset + 50);
      writes.push(disk.write(offset, expected.slice(offset, offset + 50)));
    }
    await Promise.all(writes);
    expect(stored().subarray(0, SIZE)).toEqual(expected);
  });

  describeDiskModule('an allocating disk', {
    open: () => {
      const base = new MemoryDisk(CONTENT.slice(), { writable: false });
      const allocator = new ToyAllocator(base, SIZE, []);
      const storage = new MemoryDisk(new Uint8Array(20 * CLUSTER));
      return mapped(storage, async () => ({ ...(await allocator.load()), cipher }), 'rw');
    },
    expected: CONTENT,
    writable: true,
  });
});

test('a payload need not start at a sector of the disk below when the guest numbers them', async () => {
  const { disk } = flat(toyCipher(4096, 'guest'), 512);
  await disk.init();
  expect(await disk.read(5, 5000)).toEqual(CONTENT.slice(5, 5005));
});

test('a host sector at no multiple of its size is refused, read or written', async () => {
  const { disk, storage } = flat(toyCipher(4096, 'host'), 512);
  await disk.init();
  const before = storage.bytes.slice();
  const refused = { code: 'ERR_INTERNAL', offset: 4608 };
  expect(await diskErrorOf(() => disk.read(4096, 1))).toMatchObject(refused);
  expect(await diskErrorOf(() => disk.write(4096, new Uint8Array(4096)))).toMatchObject(refused);
  expect(storage.bytes).toEqual(before);
});

test('a long read is decrypted with the numbers of its sectors', async () => {
  const cipher = toyCipher(4096, 'host');
  const plain = pattern(1024 * 1024);
  const storage = new MemoryDisk(plain.slice());
  cipher.encrypt(storage.bytes, 0);
  const disk = mapped(storage, async () => ({
    size: plain.length,
    info: { format: 'toy', virtualSize: plain.length },
    cipher,
    translate(offset, length, extents) {
      extents.data(length, offset);
      return undefined;
    },
  }));
  await disk.init();
  expect(await disk.read(0, plain.length)).toEqual(plain);
});
