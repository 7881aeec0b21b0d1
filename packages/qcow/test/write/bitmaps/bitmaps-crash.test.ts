import { borrow, createDisks, type DiskModule, MemoryDisk } from '@diskstack/core';
import { zlibCodecs } from '@diskstack/core/node';
import { CrashDisk } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { createQcow } from '../../../src/index.ts';
import { bitmapExtentsOf, bitmapsOf } from '../../support/bitmaps.ts';
import { noise, type Random, random } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { FORMATS } from '../../support/open.ts';

// A crash may come after any write, and a disk may write in any order between two barriers. After it each bitmap is either
// not trusted, or marks everything dirty that differs from the content when the bitmap was made.

const SIZE = 200_192;
const STEPS = Number(process.env.DISKSTACK_CRASH_STEPS ?? 25);
const SEED = Number(process.env.DISKSTACK_SEED ?? 1);
const disks = createDisks({ formats: FORMATS, codecs: zlibCodecs });

interface Kind {
  readonly clusterSize: number;
  readonly granularity: number;
  readonly extendedL2?: boolean;
}

/** A bitmap, and the content of the disk when it was made. */
interface Made {
  readonly name: string;
  readonly start: Uint8Array;
}

interface Run {
  readonly disk: CrashDisk;
  readonly made: readonly Made[];
  /** The smallest size of the disk so far: bytes past it were cut off once. */
  readonly smallest: number;
}

async function crashRun(kind: Kind, seed: number): Promise<Run> {
  const { granularity, ...shape } = kind;
  const next = random(seed);
  const image = new MemoryDisk(new Uint8Array(0));
  await image.init();
  await createQcow(image, { size: SIZE, ...shape });
  const disk = new CrashDisk(image.bytes);
  const open = (): Promise<DiskModule> => disks.open(borrow(disk), { mountMode: 'rw', format: 'qcow2' });
  let top = await open();
  const made: Made[] = [];
  let smallest = SIZE;
  const add = async (auto: boolean): Promise<void> => {
    const name = `b${made.length}`;
    made.push({ name, start: await top.read(0, top.size()) });
    await able(top, 'bitmapStore').bitmapStore.add({
      name,
      granularity: granularity << (made.length % 3),
      auto,
    });
  };
  // Half of the disk is overwritten in place. That allocates nothing, so there is no other barrier in between.
  await top.write(0, noise(SIZE / 2, seed + 1000));
  await add(true);
  await add(false);
  for (let step = 0; step < STEPS; step++) {
    const deed = next(16);
    if (deed < 7) await change(top, next, step);
    else if (deed < 10) {
      await top.close();
      top = await open();
    } else if (deed === 10) await able(top, 'flush').flush();
    else if (deed === 11) await add(true);
    else if (deed === 12) {
      const { bitmapStore } = able(top, 'bitmapStore');
      await bitmapStore.merge('b0', able(top, 'bitmapExtents').bitmapExtents('b1'));
    } else if (deed === 13) {
      const size = SIZE - 30_000 + 512 * next(100);
      await able(top, 'resize').resize(size, { shrink: true });
      smallest = Math.min(smallest, size);
    } else await snapshot(top, next, step);
  }
  await top.close();
  return { disk, made, smallest };
}

async function change(disk: DiskModule, next: Random, seed: number): Promise<void> {
  const offset = next(disk.size());
  const length = 1 + next(Math.min(next(4) === 0 ? 80_000 : 6000, disk.size() - offset));
  const how = next(4);
  if (how < 2) await disk.write(offset, noise(length, seed));
  else if (how === 2) await able(disk, 'writeZeroes').writeZeroes(offset, length, { unmap: true });
  else await able(disk, 'discard').discard(offset, length);
}

async function snapshot(disk: DiskModule, next: Random, step: number): Promise<void> {
  const { snapshots } = able(disk, 'snapshots');
  const [first] = snapshots.list();
  if (first === undefined) await snapshots.create(`s${step}`);
  else if (next(2) === 0) await snapshots.apply(first.name);
  else await snapshots.delete(first.name);
}

/** Why the image after a crash is wrong; `undefined` when it is right. Counts the trusted bitmaps. */
async function judge(
  { made, smallest }: Run,
  left: Uint8Array,
  believed: Set<string>,
): Promise<string | undefined> {
  await using disk = await disks.open(left, { format: 'qcow2' });
  const report = await able(disk, 'check').check();
  if (report.corruptions + report.errors > 0)
    return JSON.stringify(report.findings.filter(({ kind }) => kind !== 'leak').slice(0, 3));
  const content = await disk.read(0, disk.size());
  const states: string[] = [];
  for (const { name, consistent, flags } of bitmapsOf(disk)) {
    states.push(`${name} ${consistent}`);
    if (!consistent || !flags.includes('auto')) continue;
    const { start } = made.find((candidate) => candidate.name === name) as Made;
    for (const { offset, length, dirty } of await bitmapExtentsOf(disk, name)) {
      if (dirty) continue;
      for (let at = offset; at < Math.min(offset + length, smallest); at++) {
        if (content[at] !== start[at]) return `the bitmap ${name} calls byte ${at} clean`;
      }
    }
  }
  believed.add(states.join());
  return undefined;
}

test.for<readonly [string, Kind]>([
  ['4 KiB clusters', { clusterSize: 4096, granularity: 512 }],
  ['512-byte clusters', { clusterSize: 512, granularity: 512 }],
  ['64 KiB clusters', { clusterSize: 65_536, granularity: 4096 }],
  ['sub-clusters', { clusterSize: 16_384, granularity: 2048, extendedL2: true }],
])('%s: after every cut, and in any order, no bitmap that is believed says too little', async ([, kind]) => {
  const failures: string[] = [];
  const believed = new Set<string>();
  for (const seed of [SEED]) {
    const run = await crashRun(kind, seed);
    const next = random(seed);
    const { events } = run.disk;
    for (let count = 0; count <= events.length; count++) {
      for (let variant = 0; variant < 3; variant++) {
        const salt = next(2 ** 32);
        const survives = (event: number): boolean => variant === 0 || random(salt + event)(variant + 1) === 0;
        const wrong = await judge(run, run.disk.after(count, survives), believed);
        if (wrong !== undefined)
          failures.push(`seed ${seed}, event ${count} of ${events.length}, variant ${variant}: ${wrong}`);
      }
    }
  }
  expect(failures.slice(0, 5)).toEqual([]);
  // Both kinds occurred: bitmaps in use, and trusted bitmaps.
  expect([...believed].some((states) => states.includes('b0 true'))).toBe(true);
  expect([...believed].some((states) => states.includes('b0 false'))).toBe(true);
});
