import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DiskError, MemoryDisk } from '@diskstack/core';
import { expect, test } from 'vitest';
import { flat, tableOf } from './support/find.ts';
import { tempFolder } from './support/temp-folder.ts';

const MUTANTS = Number(process.env.DISKSTACK_FUZZ_COUNT ?? 2000);
const folder = tempFolder();
const fixtures = new URL('./fixtures/partitions/', import.meta.url).pathname;
execFileSync('tar', ['xzf', join(fixtures, 'disks.tar.gz'), '-C', folder]);
const disks = readdirSync(folder)
  .filter((name) => name.endsWith('.img') && name !== 'short.img')
  .sort()
  .map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))] as const);

/** Numbers from 0 to `below - 1` that are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Bytes of the tables are changed, in place; the result puts them back. */
function mutate(bytes: Uint8Array, next: (below: number) => number): () => void {
  const before = new Map<number, number>();
  const set = (at: number, value: number): void => {
    if (at >= bytes.length) return;
    if (!before.has(at)) before.set(at, bytes[at] ?? 0);
    bytes[at] = value;
  };
  const places = [446, 512, 1024, 4096, 2_097_152 + 446, bytes.length - 512, bytes.length - 4096];
  for (let changes = 1 + next(6); changes > 0; changes--) {
    const at = (places[next(places.length)] ?? 0) + next(next(2) === 0 ? 64 : 128);
    const edge = [0, 1, 0x7f, 0x80, 0xff, next(256)][next(6)] ?? 0;
    for (let length = 1 << next(4); length > 0; length--) set(at + length - 1, edge);
  }
  return () => {
    for (const [at, value] of before) bytes[at] = value;
  };
}

test(`${MUTANTS} mutants: only DiskErrors, only volumes inside their disk, and not too many`, async () => {
  const failures: string[] = [];
  for (let mutant = 0; mutant < MUTANTS; mutant++) {
    const next = numbers(mutant * 2_654_435_761);
    const [name, bytes] = disks[next(disks.length)] ?? ['', new Uint8Array()];
    const undo = mutate(bytes, next);
    try {
      const set = await tableOf(new MemoryDisk(bytes));
      const volumes = flat(set);
      if (volumes.length > 5000) failures.push(`mutant ${mutant} of ${name}: ${volumes.length} volumes`);
      for (const volume of volumes) {
        if (volume.status === 'error') continue;
        await using partition = await volume.open();
        await partition.read(0, 512);
      }
    } catch (error) {
      if (!(error instanceof DiskError)) failures.push(`mutant ${mutant} of ${name}: ${String(error)}`);
    }
    undo();
  }
  expect(failures).toEqual([]);
});
