import {
  type Ability,
  type Able,
  can,
  createDisks,
  type DiskModule,
  MemoryDisk,
  type Source,
} from '@diskstack/core';
import { zlibCodecs } from '@diskstack/core/node';
import { CrashDisk } from '@diskstack/core/testing';
import { createQcow } from '../../src/index.ts';
import { noise, type Random, random, text } from './content.ts';
import { memoryGate } from './memory-gate.ts';
import { FORMATS } from './open.ts';

/** A kind of image that is crashed. */
export interface CrashKind {
  readonly clusterSize: number;
  readonly version?: 2 | 3;
  readonly refcountBits?: number;
  readonly extendedL2?: boolean;
  readonly based?: boolean;
}

const SIZE = 300_032;

/** The content after an operation, and the events of the disk below between which it ran. */
interface State {
  readonly content: Uint8Array;
  readonly begin: number;
  /** The event after which a following flush had finished; `undefined` without one. */
  flushedAt: number;
}

export interface CrashRun {
  readonly disk: CrashDisk;
  readonly states: readonly State[];
  readonly base: Uint8Array;
}

/** Opens an image of a run. `source` is the disk, or its content after a crash. */
export function openCrashed(
  source: Source,
  base: Uint8Array,
  mountMode: 'r' | 'rw' = 'r',
): Promise<DiskModule> {
  const disks = createDisks({ formats: FORMATS, codecs: zlibCodecs, gate: memoryGate({ base }) });
  return disks.open(source, { mountMode, format: 'qcow2' });
}

/** Operations on an image in memory, and all events of the disk below. */
export async function crashRun(kind: CrashKind, seed: number, steps: number): Promise<CrashRun> {
  const next = random(seed);
  const { based = false, ...shape } = kind;
  const image = new MemoryDisk(new Uint8Array(0));
  await image.init();
  const backing = based ? { backing: { name: 'base', format: 'raw' } } : {};
  await createQcow(image, { size: SIZE, ...shape, ...backing });
  const base = based ? noise(SIZE + 5000, seed) : new Uint8Array(0);
  const content = new Uint8Array(SIZE);
  content.set(base.subarray(0, SIZE));
  const disk = new CrashDisk(image.bytes);
  const states: State[] = [{ content, begin: 0, flushedAt: 0 }];
  const top = await openCrashed(disk, base, 'rw');
  const saved = new Map<string, Uint8Array>();
  for (let count = 0; count < steps; count++) {
    const begin = disk.events.length;
    const before = (states.at(-1) as State).content;
    const after = await operate(top, next, before.slice(), saved, kind, count);
    states.push({ content: after, begin, flushedAt: Number.POSITIVE_INFINITY });
    if (next(3) === 0) {
      await able(top, 'flush').flush();
      (states.at(-1) as State).flushedAt = disk.events.length;
    }
  }
  await top.close();
  (states.at(-1) as State).flushedAt = disk.events.length;
  return { disk, states, base };
}

async function operate(
  disk: DiskModule,
  next: Random,
  model: Uint8Array,
  saved: Map<string, Uint8Array>,
  { clusterSize, refcountBits = 16 }: CrashKind,
  count: number,
): Promise<Uint8Array> {
  const offset = next(SIZE);
  const length = 1 + next(Math.min(next(4) === 0 ? 80_000 : 6000, SIZE - offset));
  const deed = next(12);
  if (deed < 6) {
    const data = noise(length, count);
    await disk.write(offset, data);
    model.set(data, offset);
  } else if (deed === 6) {
    await able(disk, 'writeZeroes').writeZeroes(offset, length, { unmap: next(2) === 0 });
    model.fill(0, offset, offset + length);
  } else if (deed === 7) {
    await able(disk, 'discard').discard(offset, length);
    model.set(await disk.read(offset, length), offset);
  } else if (deed === 8) {
    const at = offset - (offset % clusterSize);
    const data = text(Math.min(clusterSize, SIZE - at), count);
    const isDone = await able(disk, 'writeCompressed')
      .writeCompressed(at, data)
      .then(
        () => true,
        () => false,
      );
    if (isDone) model.set(data, at);
  } else if (deed === 9 && refcountBits > 2 && saved.size < 3) {
    await able(disk, 'snapshots').snapshots.create(`s${count}`);
    saved.set(`s${count}`, model.slice());
  } else if (saved.size > 0) {
    const name = [...saved.keys()][next(saved.size)] as string;
    const { snapshots } = able(disk, 'snapshots');
    if (deed === 10) {
      await snapshots.apply(name);
      return (saved.get(name) as Uint8Array).slice();
    }
    await snapshots.delete(name);
    saved.delete(name);
  }
  return model;
}

export function able<A extends Ability>(disk: DiskModule, ability: A): Able<A> {
  if (can(disk, ability)) return disk;
  throw new Error(`the disk cannot ${ability}`);
}

/** Why the image after a crash is wrong; `undefined` when it is right. */
export async function judgeCrash(
  run: CrashRun,
  count: number,
  left: Uint8Array,
): Promise<string | undefined> {
  await using disk = await openCrashed(left, run.base);
  const report = await able(disk, 'check').check();
  if (report.corruptions + report.errors > 0)
    return JSON.stringify(report.findings.filter(({ kind }) => kind !== 'leak').slice(0, 3));
  const { states } = run;
  let first = 0;
  for (const [index, { flushedAt }] of states.entries()) if (flushedAt <= count) first = index;
  const possible = states.slice(first).filter(({ begin }, index) => index === 0 || begin < count);
  const bytes = await disk.read(0, disk.size());
  const same = (possible[0] as State).content;
  for (let index = 0; index < SIZE; index++) {
    if (bytes[index] === same[index]) continue;
    if (possible.some(({ content }) => content[index] === bytes[index])) continue;
    return `byte ${index} is ${bytes[index]}, which was never there since the last flush (state ${first})`;
  }
  return undefined;
}
