import { describe, expect, test } from 'vitest';
import type { DiskModule } from '../../src/contracts/disk-module.ts';
import type { DiskExtent } from '../../src/contracts/extent.ts';
import { DEFAULT_LIMITS } from '../../src/contracts/services.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { MappedDisk } from '../../src/mapping/mapped-disk.ts';
import type { PayloadCipher } from '../../src/mapping/payload-cipher.ts';
import { describeDiskModule, diskErrorOf, pattern } from '../../src/testing/index.ts';

// A small format: a sector with a letter for each block, the inline blocks upside down, and then the blocks of the file. Like a
// log that is replayed, the inline ones are read once, and no file has them as they are.

const BLOCK = 512;
const PLAN = 'FIIZFFIF';
const INLINE = 1;
const SIZE = PLAN.length * BLOCK;

/** The guest bytes of block `index`. */
function blockOf(index: number): Uint8Array {
  return PLAN[index] === 'Z' ? new Uint8Array(BLOCK) : pattern(BLOCK, index + 1);
}

const expected = new Uint8Array(SIZE);
for (let index = 0; index < PLAN.length; index++) expected.set(blockOf(index), index * BLOCK);

function indexesOf(letter: string): number[] {
  return [...PLAN].flatMap((one, index) => (one === letter ? index : []));
}

const inverted = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xff);

/** Makes the file: `store` changes the bytes that are stored as they are. */
function fileOf(store = (bytes: Uint8Array): Uint8Array => bytes): Uint8Array {
  const inline = indexesOf('I').map((index) => inverted(blockOf(index)));
  const stored = indexesOf('F').map((index) => store(blockOf(index)));
  const file = new Uint8Array((1 + inline.length + stored.length) * BLOCK);
  file.set(new TextEncoder().encode(PLAN));
  for (const [number, bytes] of [...inline, ...stored].entries()) file.set(bytes, (1 + number) * BLOCK);
  return file;
}

interface Options {
  readonly cipher?: PayloadCipher;
  readonly slack?: number;
  /** Bytes of the inline blocks that are kept. Default: all. */
  readonly kept?: number;
  readonly seen?: (inline: DiskModule) => void;
}

function open(downstream: DiskModule, { cipher, slack, kept, seen }: Options = {}): MappedDisk {
  return new MappedDisk({
    type: 'INLINE',
    format: 'inline',
    downstream,
    mountMode: 'r',
    limits: DEFAULT_LIMITS,
    async load(io) {
      const letters = new TextDecoder().decode(await downstream.read(0, PLAN.length, io));
      const count = [...letters].filter((letter) => letter === 'I').length;
      const inline = new MemoryDisk(
        inverted(await downstream.read(BLOCK, count * BLOCK, io)).subarray(0, kept),
      );
      await inline.init();
      seen?.(inline);
      const before = (letter: string, block: number): number =>
        [...letters.slice(0, block)].filter((one) => one === letter).length;
      return {
        size: letters.length * BLOCK,
        info: { format: 'inline', virtualSize: letters.length * BLOCK },
        sources: [downstream, inline],
        cipher,
        slack,
        translate(offset, length, extents) {
          let done = 0;
          while (done < length) {
            const skip = (offset + done) % BLOCK;
            const block = (offset + done - skip) / BLOCK;
            const part = Math.min(length - done, BLOCK - skip);
            if (letters[block] === 'I') extents.unplaced(part, before('I', block) * BLOCK + skip, INLINE);
            else if (letters[block] === 'Z') extents.zero(part);
            else extents.data(part, (1 + count + before('F', block)) * BLOCK + skip);
            done += part;
          }
          return undefined;
        },
      };
    },
  });
}

describeDiskModule('bytes of a file, of memory, and zeroes', {
  open: () => open(new MemoryDisk(fileOf())),
  expected,
});

async function extentsOf(disk: MappedDisk, offset?: number, length?: number): Promise<DiskExtent[]> {
  const extents: DiskExtent[] = [];
  for await (const extent of disk.extents(offset, length)) extents.push(extent);
  return extents;
}

test('bytes in memory are data without a place, and neighbours are one extent', async () => {
  await using disk = open(new MemoryDisk(fileOf()));
  await disk.init();
  const told = { depth: 0, present: true } as const;
  const file = 4 * BLOCK;
  expect(await extentsOf(disk)).toEqual([
    { ...told, offset: 0, length: BLOCK, kind: 'data', at: file },
    { ...told, offset: BLOCK, length: 2 * BLOCK, kind: 'data' },
    { ...told, offset: 3 * BLOCK, length: BLOCK, kind: 'zero' },
    { ...told, offset: 4 * BLOCK, length: 2 * BLOCK, kind: 'data', at: file + BLOCK },
    { ...told, offset: 6 * BLOCK, length: BLOCK, kind: 'data' },
    { ...told, offset: 7 * BLOCK, length: BLOCK, kind: 'data', at: file + 3 * BLOCK },
  ]);
  expect(await extentsOf(disk, BLOCK + 1, 3)).toEqual([
    { ...told, offset: BLOCK + 1, length: 3, kind: 'data' },
  ]);
});

test('an overlay reports the bytes in memory of its base in the same way', async () => {
  const base = open(new MemoryDisk(fileOf()));
  await using top = new MappedDisk({
    type: 'TOP',
    format: 'top',
    downstream: new MemoryDisk(new Uint8Array(BLOCK)),
    mountMode: 'r',
    limits: DEFAULT_LIMITS,
    async load() {
      await base.init();
      return {
        size: SIZE,
        info: { format: 'top', virtualSize: SIZE },
        base,
        translate: (_offset, length, extents) => void extents.base(length),
      };
    },
  });
  await top.init();
  const found = (await extentsOf(top)).map(({ kind, at, depth }) => [kind, at === undefined, depth]);
  expect(found).toEqual([
    ['data', false, 1],
    ['data', true, 1],
    ['zero', true, 1],
    ['data', false, 1],
    ['data', true, 1],
    ['data', false, 1],
  ]);
});

describe('bytes in memory are complete and in clear', () => {
  const flip = (bytes: Uint8Array): void => void bytes.set(inverted(bytes));
  const cipher: PayloadCipher = { numbering: 'guest', sectorSize: 512, decrypt: flip, encrypt: flip };

  test('an encrypted disk decrypts the bytes of the file only', async () => {
    await using disk = open(new MemoryDisk(fileOf(inverted)), { cipher });
    await disk.init();
    expect(Buffer.compare(await disk.read(0, SIZE), expected)).toBe(0);
    expect(await disk.read(BLOCK - 3, 9)).toEqual(expected.slice(BLOCK - 3, BLOCK + 6));
  });

  test('where they end too early the read fails: the slack is that of the file', async () => {
    const cut = fileOf().subarray(0, -10);
    await using disk = open(new MemoryDisk(cut), { slack: BLOCK, kept: 3 * BLOCK - 10 });
    await disk.init();
    const last = (await disk.read(7 * BLOCK, BLOCK)).subarray(-10);
    expect(last).toEqual(new Uint8Array(10));
    const error = await diskErrorOf(() => disk.read(6 * BLOCK, BLOCK));
    expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: 2 * BLOCK, format: 'inline' });
    expect(error.reason).toContain(`to byte ${3 * BLOCK}`);
    expect(error.reason).toContain(`ends at ${3 * BLOCK - 10}`);
  });
});

test('the disk owns the bytes in memory: they go with it', async () => {
  const inline: DiskModule[] = [];
  const disk = open(new MemoryDisk(fileOf()), { seen: (one) => void inline.push(one) });
  await disk.init();
  expect(inline.map((one) => one.size())).toEqual([3 * BLOCK]);
  await disk.close();
  expect(() => inline[0]?.size()).toThrow('closed');
});
