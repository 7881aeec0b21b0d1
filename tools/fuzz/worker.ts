// Tries mutants in a thread of its own: one that never ends can be told from outside, and ended.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { can, createDisks, DiskError, type DiskModule, type Disks, MemoryDisk } from '@diskstack/core';
import { type PathKind, posixNames, type StorageDriver } from '@diskstack/core/format';
import { zlibCodecs } from '@diskstack/core/node';
import { nodePrimitives } from '@diskstack/crypto/node';
import { qcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { mutate, randomBy } from './mutate.ts';

/** What the worker is given, and what it says. */
export interface FuzzJob {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
}
export type FuzzMessage =
  | { readonly kind: 'trying'; readonly mutant: number }
  | { readonly kind: 'escaped'; readonly mutant: number; readonly image: string; readonly error: string }
  | { readonly kind: 'done'; readonly opened: number; readonly refused: number };

const folder = new URL('./corpus/', import.meta.url).pathname;
const corpus = readdirSync(folder)
  .filter((name) => !name.endsWith('.raw'))
  .sort();
const files = new Map(
  readdirSync(folder).map((name) => [`/${name}`, new Uint8Array(readFileSync(join(folder, name)))]),
);
const { seed, first, count } = workerData as FuzzJob;
let opened = 0;
let refused = 0;

for (let mutant = first; mutant < first + count; mutant++) {
  say({ kind: 'trying', mutant });
  const random = randomBy(seed + mutant * 2654435761);
  const image = corpus[random(corpus.length)] ?? '';
  const bytes = mutate(files.get(`/${image}`) ?? new Uint8Array(), random);
  try {
    await exercise(image, bytes, random);
    opened++;
  } catch (error) {
    if (error instanceof DiskError) refused++;
    else
      say({
        kind: 'escaped',
        mutant,
        image,
        error: error instanceof Error ? `${error.stack}` : String(error),
      });
  }
}
say({ kind: 'done', opened, refused });

function say(message: FuzzMessage): void {
  parentPort?.postMessage(message);
}

/** All that can be done with an image: each part may refuse, and only with a `DiskError`. */
async function exercise(image: string, bytes: Uint8Array, random: (below: number) => number): Promise<void> {
  const disks = createDisks({
    formats: [raw, qcow, qcow2],
    drivers: [memoryDriver(new Map([...files, [`/${image}`, bytes]]))],
    codecs: random(2) === 0 ? zlibCodecs : {},
    crypto: nodePrimitives,
    keys: { keyFor: async () => new TextEncoder().encode('abc') },
    limits: { maxInflatedBytes: 16 * 1024 * 1024 },
  });
  await using described = await disks.open(`/${image}`, { metadataOnly: true });
  if (can(described, 'check')) await tolerated(described.check());
  if (can(described, 'bitmaps') && can(described, 'bitmapExtents')) {
    for (const { name } of described.bitmaps()) await tolerated(some(described.bitmapExtents(name)));
  }
  await using disk = await disks.open(`/${image}`);
  if (can(disk, 'extents')) await tolerated(some(disk.extents()));
  for (let reads = 0; reads < 8; reads++)
    await tolerated(disk.read(somewhere(disk, random), 1 + random(70_000)));
  await tolerated(change(disks, image, random));
}

/** Repairs, writes and closes a copy: each may be refused. */
async function change(disks: Disks, image: string, random: (below: number) => number): Promise<void> {
  const disk = await disks.open(`/${image}`, { mountMode: 'rw' });
  try {
    if (can(disk, 'repair')) await tolerated(disk.repair({ fix: random(2) === 0 ? 'all' : 'leaks' }));
    const offset = somewhere(disk, random);
    const length = Math.min(1 + random(70_000), disk.size() - offset);
    await tolerated(disk.write(offset, new Uint8Array(length)));
    if (can(disk, 'discard')) await tolerated(disk.discard(offset, length));
    if (can(disk, 'snapshots')) await tolerated(disk.snapshots.create('fuzz'));
  } finally {
    await disk.close();
  }
}

async function tolerated(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}

/** The first extents: a mutant may say that it has petabytes of them. */
async function some(extents: AsyncIterable<unknown>): Promise<void> {
  let left = 2000;
  for await (const _extent of extents) {
    if (--left === 0) return;
  }
}

function somewhere(disk: DiskModule, random: (below: number) => number): number {
  const size = Math.min(disk.size(), random(2) === 0 ? 131_072 : Number.MAX_SAFE_INTEGER);
  return size === 0 ? 0 : Math.floor((random(0xffffffff) / 0xffffffff) * size);
}

/** The corpus as a file system in memory. */
function memoryDriver(contents: ReadonlyMap<string, Uint8Array>): StorageDriver {
  return {
    ...posixNames('memory'),
    open: (path, { writable }) => {
      const bytes = contents.get(path) ?? new Uint8Array();
      return new MemoryDisk(writable ? bytes.slice() : bytes, { writable, location: path });
    },
    kind: async (path): Promise<PathKind> => (contents.has(path) ? 'file' : 'missing'),
    canonical: async (path) => (contents.has(path) || path === '/' ? path : undefined),
    identity: async (path) => `memory ${path}`,
  };
}
