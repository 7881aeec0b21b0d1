import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { DiskExtent } from '../../../src/contracts/extent.ts';
import type { Holes, Host } from '../../../src/contracts/host.ts';
import { FileDisk, type FileDiskOptions } from '../../../src/node/file/file-disk.ts';
import { fileDriver } from '../../../src/node/file/file-driver.ts';
import { diskErrorOf } from '../../../src/testing/index.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const BLOCK = 4096;
const folder = tempFolder();
let count = 0;

function file(size: number): string {
  const path = join(folder, `${count++}.img`);
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}

/** A file system that answers from a list of blocks, `true` for data, instead of from the file. */
function declared(blocks: readonly boolean[], size: number): Holes {
  const isData = (at: number): boolean => blocks[Math.floor(at / BLOCK)] ?? false;
  const next = (at: number, wanted: boolean): number => {
    for (let here = at; here < size; here += BLOCK - (here % BLOCK)) if (isData(here) === wanted) return here;
    return wanted || at >= size ? Number.POSITIVE_INFINITY : size;
  };
  return { nextData: (_fd, at) => next(at, true), nextHole: (_fd, at) => next(at, false) };
}

type Found = readonly [kind: DiskExtent['kind'], offset: number, length: number];

async function look(disk: FileDisk, offset?: number, length?: number): Promise<Found[]> {
  const found: Found[] = [];
  for await (const extent of disk.extents(offset, length)) {
    expect(extent).toMatchObject({ depth: 0, present: true, at: extent.offset });
    found.push([extent.kind, extent.offset, extent.length]);
  }
  return found;
}

async function opened(size: number, holes: Holes | undefined, options: FileDiskOptions = {}) {
  const disk = new FileDisk(file(size), { host: { holes }, ...options });
  await disk.init();
  return disk;
}

test('extents are the answers of the host, without gaps and with merged neighbours', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { maxLength: 12 }),
      fc.integer({ min: 0, max: BLOCK - 1 }),
      fc.integer({ min: 0, max: 14 * BLOCK }),
      fc.integer({ min: 0, max: 14 * BLOCK }),
      async (blocks, tail, offset, length) => {
        const size = blocks.length * BLOCK + tail;
        await using disk = await opened(size, declared(blocks, size));
        const found = await look(disk, offset, length);
        const end = Math.min(size, offset + length);
        let at = offset;
        let before: string | undefined;
        for (const [kind, start, bytes] of found) {
          expect(start).toBe(at);
          expect(bytes).toBeGreaterThan(0);
          expect(kind).not.toBe(before);
          before = kind;
          for (; at < start + bytes; at += BLOCK - (at % BLOCK))
            expect(kind).toBe(blocks[Math.floor(at / BLOCK)] ? 'data' : 'zero');
          at = start + bytes;
        }
        expect(at).toBe(Math.max(offset, end));
      },
    ),
  );
});

describe('a host that has no answer', () => {
  const silent: Holes = { nextData: () => undefined, nextHole: () => undefined };

  test('leaves the search to reading', async () => {
    await using disk = await opened(10 * BLOCK, silent);
    const read = vi.spyOn(disk, 'read');
    const found: Found[] = [];
    for await (const { kind, offset, length } of disk.extents(0, undefined, { findHoles: true }))
      found.push([kind, offset, length]);
    expect(found).toEqual([['zero', 0, 10 * BLOCK]]);
    expect(read.mock.calls.length).toBeLessThanOrEqual(1);
  });

  test('in the middle of a file: the rest is data', async () => {
    const holes: Holes = {
      nextData: (_fd, at) => (at === 0 ? BLOCK : undefined),
      nextHole: (_fd, at) => (at === BLOCK ? 3 * BLOCK : undefined),
    };
    await using disk = await opened(10 * BLOCK, holes);
    expect(await look(disk)).toEqual([
      ['zero', 0, BLOCK],
      ['data', BLOCK, 9 * BLOCK],
    ]);
  });
});

describe('a file that changes meanwhile', () => {
  test('data that has become a hole is data, and the search goes on', async () => {
    const holes: Holes = { nextData: (_fd, at) => at, nextHole: (_fd, at) => at };
    await using disk = await opened(10 * BLOCK + 5, holes);
    expect(await look(disk)).toEqual([['data', 0, 10 * BLOCK + 5]]);
    expect(await look(disk, 100, 2 * BLOCK)).toEqual([['data', 100, 2 * BLOCK]]);
  });

  test('an answer before the question does not make extents overlap', async () => {
    const holes: Holes = { nextData: () => 0, nextHole: () => 0 };
    await using disk = await opened(4 * BLOCK, holes);
    expect(await look(disk)).toEqual([['data', 0, 4 * BLOCK]]);
  });

  test('a file that has grown is described up to the end of the disk', async () => {
    const holes = declared([true, false, true, true], 4 * BLOCK);
    await using disk = await opened(3 * BLOCK, holes);
    expect(await look(disk)).toEqual([
      ['data', 0, BLOCK],
      ['zero', BLOCK, BLOCK],
      ['data', 2 * BLOCK, BLOCK],
    ]);
  });

  test.for([
    ['no data', (): number => Number.POSITIVE_INFINITY],
    ['data', (_fd: number, at: number): number => at],
  ] as const)('one that has become shorter, and has %s there, is ERR_CHANGED', async ([, nextData]) => {
    const holes: Holes = { nextData, nextHole: () => Number.POSITIVE_INFINITY };
    await using disk = await opened(10 * BLOCK, holes);
    truncateSync(disk.location, 2 * BLOCK);
    const error = await diskErrorOf(() => look(disk, 3 * BLOCK, BLOCK));
    expect(error).toMatchObject({ code: 'ERR_CHANGED', layer: disk.location, offset: 3 * BLOCK });
    expect(error.message).toContain(`${10 * BLOCK} bytes`);
    expect(error.message).toContain(`byte ${2 * BLOCK}`);
  });
});

describe('the host', () => {
  const host = (holes: Holes) => vi.fn<() => Promise<Host>>(async () => ({ holes }));

  test('is loaded by the first question about holes, once, when nothing is locked', async () => {
    const load = host(declared([true, false], 2 * BLOCK));
    await using disk = await opened(2 * BLOCK, undefined, { host: load, locking: 'off' });
    await disk.read(0, 512);
    expect(await look(disk, BLOCK, 0)).toEqual([]);
    expect(load).not.toHaveBeenCalled();
    for (let round = 0; round < 3; round++) expect(await look(disk)).toHaveLength(2);
    expect(load).toHaveBeenCalledOnce();
  });

  test('comes from the driver', async () => {
    const driver = fileDriver({ host: { holes: declared([false, true], 2 * BLOCK) } });
    const disk = driver.open(file(2 * BLOCK), { writable: false }) as FileDisk;
    await using _closing = disk;
    await disk.init();
    expect(await look(disk)).toEqual([
      ['zero', 0, BLOCK],
      ['data', BLOCK, BLOCK],
    ]);
  });

  test("is asked nothing with io 'pool': a question blocks", async () => {
    const load = host(declared([true], BLOCK));
    await using disk = await opened(BLOCK, undefined, { host: load, io: 'pool' });
    expect(await look(disk)).toHaveLength(1);
    expect(load).not.toHaveBeenCalled();
  });

  test('is not asked about a descriptor that the disk has closed', async () => {
    const holes = declared([true, false, true, false], 4 * BLOCK);
    const nextData = vi.spyOn(holes, 'nextData');
    const disk = await opened(4 * BLOCK, holes);
    const extents = disk.extents()[Symbol.asyncIterator]();
    await extents.next();
    const questions = nextData.mock.calls.length;
    await disk.close();
    const error = await diskErrorOf(async () => {
      for (let next = await extents.next(); !next.done; next = await extents.next());
    });
    expect(error.code).toBe('ERR_STATE');
    expect(nextData).toHaveBeenCalledTimes(questions);
  });
});

/** A file of two million blocks, every other one a hole. */
const alternating: Holes = {
  nextData: (_fd, at) => Math.ceil(at / (2 * BLOCK)) * 2 * BLOCK,
  nextHole: (_fd, at) => Math.floor(at / (2 * BLOCK)) * 2 * BLOCK + BLOCK,
};

test('a search among a million extents lets the event loop run', async () => {
  await using disk = await opened(1_000_000 * BLOCK, alternating);
  let turns = 0;
  const turn = setInterval(() => turns++, 0);
  let extents = 0;
  for await (const _extent of disk.extents()) extents++;
  clearInterval(turn);
  expect(extents).toBe(1_000_000);
  expect(turns).toBeGreaterThan(1);
});

test('a signal ends the search', async () => {
  await using disk = await opened(1000 * BLOCK, alternating);
  const controller = new AbortController();
  const error = await diskErrorOf(async () => {
    for await (const _extent of disk.extents(0, undefined, { signal: controller.signal })) controller.abort();
  });
  expect(error.code).toBe('ERR_ABORTED');
});
