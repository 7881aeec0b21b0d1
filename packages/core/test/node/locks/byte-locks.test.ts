import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ByteLocks } from '../../../src/contracts/host.ts';
import { FileDisk } from '../../../src/node/index.ts';
import { takeBytes } from '../../../src/node/locks/byte-locks.ts';
import { READER, WRITER } from '../../../src/node/locks/image-use.ts';
import { diskErrorOf } from '../../../src/testing/index.ts';
import { tempFolder } from '../../support/temp-folder.ts';

/** The locks of one file, as a kernel keeps them: shared locks by descriptor. `refused`: bytes with an exclusive lock of another program. */
class OneFile implements ByteLocks {
  readonly held = new Map<number, Set<number>>();
  readonly refused = new Set<number>();

  share(fd: number, offset: number): 'taken' | 'refused' {
    if (this.refused.has(offset)) return 'refused';
    this.#of(fd).add(offset);
    return 'taken';
  }

  isLocked(fd: number, offset: number, length: number): boolean {
    const others = [...this.held].filter(([owner]) => owner !== fd);
    return others.some(([, bytes]) => [...bytes].some((byte) => byte >= offset && byte < offset + length));
  }

  unlock(fd: number, offset: number, length: number): void {
    for (const byte of this.#of(fd)) if (byte >= offset && byte < offset + length) this.#of(fd).delete(byte);
  }

  /** The locked bytes of a descriptor. */
  bytes(fd: number): readonly number[] {
    return [...this.#of(fd)].sort((a, b) => a - b);
  }

  #of(fd: number): Set<number> {
    const bytes = this.held.get(fd) ?? new Set();
    this.held.set(fd, bytes);
    return bytes;
  }
}

const READS = [100, 201, 203];
const WRITES = [100, 101, 103, 201, 203];
let count = 0;

test('a reader and a writer of this process share one descriptor, and each gives up its own bytes', () => {
  const [kernel, file] = [new OneFile(), `${count++}`];
  const reader = takeBytes(kernel, 5, file, READER);
  const writer = takeBytes(kernel, 6, file, WRITER);
  expect([reader?.conflicts, writer?.conflicts]).toEqual([[], []]);
  expect([kernel.bytes(5), kernel.bytes(6)]).toEqual([WRITES, []]);
  writer?.unlock();
  writer?.unlock(); // once more is nothing
  expect(kernel.bytes(5)).toEqual(READS);
  reader?.unlock();
  expect([kernel.bytes(5), kernel.bytes(6)]).toEqual([[], []]);
});

test('the locks move to the descriptor of another disk before theirs is closed', () => {
  const [kernel, file] = [new OneFile(), `${count++}`];
  const writer = takeBytes(kernel, 5, file, WRITER);
  const reader = takeBytes(kernel, 6, file, READER);
  writer?.unlock();
  expect([kernel.bytes(5), kernel.bytes(6)]).toEqual([[], READS]);
  expect(takeBytes(kernel, 7, file, WRITER)?.fd).toBe(6);
  reader?.unlock();
  expect([kernel.bytes(6), kernel.bytes(7)]).toEqual([[], WRITES]);
});

test.for([
  ['a reader and a writer', READER, WRITES, [101, 103]],
  ['a writer and a writer', WRITER, WRITES, [101, 103, 201, 203]],
  ['a writer and a reader', WRITER, READS, [201, 203]],
  ['a reader and a reader', READER, READS, []],
  ['a reader and a program that forbids reading', READER, [200], [200]],
  ['a writer and a reader that shares everything', WRITER, [100], []],
  ['a reader and unknown permissions', READER, [102, 202], []],
  ['a writer and unknown permissions', WRITER, [102, 202], []],
] as const)('conflicts of %s', ([, use, others, conflicts]) => {
  const kernel = new OneFile();
  for (const byte of others) kernel.share(99, byte);
  expect(takeBytes(kernel, 5, `${count++}`, use)?.conflicts).toEqual(conflicts);
});

test('an exclusive lock of another program is a conflict, and nothing stays locked', () => {
  const [kernel, file] = [new OneFile(), `${count++}`];
  kernel.refused.add(201);
  expect(takeBytes(kernel, 5, file, WRITER)?.conflicts).toEqual([201]);
  expect(kernel.bytes(5)).toEqual([]);
  kernel.refused.clear();
  expect(takeBytes(kernel, 6, file, WRITER)).toMatchObject({ fd: 6, conflicts: [] });
});

test('lock files are made on a file system without locks on bytes', async () => {
  const folder = tempFolder();
  const path = join(folder, 'disk.img');
  writeFileSync(path, new Uint8Array(4096));
  const unable: ByteLocks = { share: () => undefined, isLocked: () => false, unlock: () => {} };
  const disk = new FileDisk(path, { writable: true, host: { locks: unable } });
  await disk.init();
  expect(readdirSync(folder)).toHaveLength(2);
  expect((await diskErrorOf(() => new FileDisk(path, { writable: true }).init())).code).toBe('ERR_LOCKED');
  await disk.close();
  expect(readdirSync(folder)).toEqual(['disk.img']);
});
