import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { can, commit, createDisks, type DiskModule, type OpenOptions, rebase } from '@diskstack/core';
import { defineDisk } from '@diskstack/core/format';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import type { CreateQcowOptions } from '../../src/index.ts';
import { noise, random } from '../support/content.ts';
import { FORMATS } from '../support/open.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { createFile } from './support.ts';

const KiB = 1024;
const SIZE = 1536 * KiB + 512;

const temp = tempFolder();
const disks = createDisks({ formats: FORMATS, drivers: [fileDriver()], codecs: zlibCodecs });
const open = (path: string, options: OpenOptions = {}): Promise<DiskModule> => disks.open(path, options);

async function contentOf(path: string, format?: string): Promise<Uint8Array> {
  await using disk = await open(path, { format });
  return Uint8Array.from(await disk.read(0, disk.size()));
}

/** Random writes of all kinds. */
async function scribble(path: string, seed: number, count = 12): Promise<void> {
  const next = random(seed);
  await using disk = await open(path, { mountMode: 'rw' });
  for (let index = 0; index < count; index++) {
    const offset = next(disk.size() - 1);
    const length = Math.min(1 + next(90_000), disk.size() - offset);
    const kind = next(4);
    if (kind === 0 && can(disk, 'writeZeroes')) await disk.writeZeroes(offset, length);
    else await disk.write(offset, noise(length, seed + index));
  }
}

interface World {
  readonly folder: string;
  readonly path: (name: string) => string;
}

/** `base.raw` ← `middle.qcow2` ← `top.qcow2`, each with different content; `base.raw` is shorter than the others. */
async function chain(seed: number, shape: Partial<CreateQcowOptions>): Promise<World> {
  const folder = await temp.next();
  const path = (name: string): string => join(folder, name);
  await writeFile(path('base.raw'), noise(SIZE - 300 * KiB, seed));
  await writeFile(path('other.raw'), noise(SIZE - 600 * KiB, seed + 1));
  await createFile(path('middle.qcow2'), {
    ...shape,
    size: SIZE - 512,
    backing: { name: 'base.raw', format: 'raw' },
  });
  await scribble(path('middle.qcow2'), seed + 2);
  await createFile(path('top.qcow2'), {
    ...shape,
    size: SIZE,
    backing: { name: 'middle.qcow2', format: 'qcow2' },
  });
  await scribble(path('top.qcow2'), seed + 3);
  return { folder, path };
}

const SHAPES: readonly Partial<CreateQcowOptions>[] = [
  {},
  { clusterSize: 512 },
  { clusterSize: 16 * KiB, extendedL2: true },
  { version: 2, clusterSize: 4 * KiB },
];

async function expectSound(path: string): Promise<void> {
  await using disk = await open(path, { metadataOnly: true });
  if (!can(disk, 'check')) throw new Error('no check');
  expect(await disk.check()).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
}

describe.each(SHAPES)('commit of %o', (shape) => {
  test('into the image below: it reads as the overlay did, and the overlay still does', async () => {
    const { path } = await chain(11, shape);
    const before = await contentOf(path('top.qcow2'));
    const steps: number[] = [];
    {
      await using overlay = await open(path('top.qcow2'));
      await using base = await open(path('middle.qcow2'), { mountMode: 'rw' });
      await commit(overlay, base, { onProgress: ({ done, total }) => steps.push(done / total) });
    }
    expect(Buffer.compare(await contentOf(path('middle.qcow2')), before)).toBe(0);
    expect(Buffer.compare(await contentOf(path('top.qcow2')), before)).toBe(0);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.at(-1)).toBe(1);
    await expectSound(path('middle.qcow2'));
  });

  test('two layers down: what both have of their own', async () => {
    const { path } = await chain(12, shape);
    const before = await contentOf(path('top.qcow2'));
    {
      await using overlay = await open(path('top.qcow2'));
      await using base = await open(path('base.raw'), { format: 'raw', mountMode: 'rw' });
      await commit(overlay, base, { depth: 2 });
    }
    expect(Buffer.compare(await contentOf(path('base.raw'), 'raw'), before)).toBe(0);
    expect(Buffer.compare(await contentOf(path('top.qcow2')), before)).toBe(0);
  });

  test('aborted midway, the overlay reads as before', async () => {
    const { path } = await chain(13, shape);
    const before = await contentOf(path('top.qcow2'));
    const controller = new AbortController();
    {
      await using overlay = await open(path('top.qcow2'));
      await using base = await open(path('base.raw'), { format: 'raw', mountMode: 'rw' });
      const committing = commit(overlay, base, {
        depth: 2,
        signal: controller.signal,
        onProgress: () => controller.abort(),
      });
      expect((await diskErrorOf(() => committing)).code).toBe('ERR_ABORTED');
    }
    expect(Buffer.compare(await contentOf(path('top.qcow2')), before)).toBe(0);
  });
});

describe.each(SHAPES)('rebase of %o', (shape) => {
  test.each([
    ['another base', 'other.raw', 'raw'],
    ['the base of its base', 'base.raw', 'raw'],
    ['no base', undefined, undefined],
  ] as const)('onto %s: it reads as before', async (_, name, format) => {
    const { path } = await chain(14, shape);
    const before = await contentOf(path('top.qcow2'));
    {
      await using disk = await open(path('top.qcow2'), { mountMode: 'rw' });
      if (name === undefined) {
        await rebase(disk, undefined);
      } else {
        await using base = await open(path(name), { format });
        await rebase(disk, { disk: base, name, format });
      }
    }
    expect(Buffer.compare(await contentOf(path('top.qcow2')), before)).toBe(0);
    await using after = await open(path('top.qcow2'), { metadataOnly: true });
    expect(can(after, 'info') && after.info().backing).toEqual(name && { name, format });
    await expectSound(path('top.qcow2'));
  });

  test('aborted midway, it stands on its old base and reads as before', async () => {
    const { path } = await chain(15, shape);
    const before = await contentOf(path('top.qcow2'));
    const controller = new AbortController();
    {
      await using disk = await open(path('top.qcow2'), { mountMode: 'rw' });
      await using base = await open(path('other.raw'), { format: 'raw' });
      const rebasing = rebase(
        disk,
        { disk: base, name: 'other.raw', format: 'raw' },
        { signal: controller.signal, onProgress: () => controller.abort() },
      );
      expect((await diskErrorOf(() => rebasing)).code).toBe('ERR_ABORTED');
    }
    expect(Buffer.compare(await contentOf(path('top.qcow2')), before)).toBe(0);
    await using after = await open(path('top.qcow2'), { metadataOnly: true });
    expect(can(after, 'info') && after.info().backing?.name).toBe('middle.qcow2');
    await expectSound(path('top.qcow2'));
  });
});

/** Bases of 4 KiB blocks of which few are data, and which say so: as sparse files do with a host. */
describe.each(SHAPES)('rebase of %o between sparse bases', (shape) => {
  const BLOCK = 4 * KiB;
  const BLOCKS = 384;

  function sparse(seed: number): { readonly open: () => DiskModule; readonly reads: number[] } {
    const next = random(seed);
    const hasData = Array.from({ length: BLOCKS }, () => next(40) === 0);
    const bytes = new Uint8Array(BLOCKS * BLOCK);
    for (const [index, isData] of hasData.entries())
      if (isData) bytes.set(noise(BLOCK, seed + index), index * BLOCK);
    const reads: number[] = [];
    const open = (): DiskModule =>
      defineDisk({
        size: () => bytes.length,
        readInto: (offset, into) => {
          reads.push(into.length);
          into.set(bytes.subarray(offset, offset + into.length));
          return undefined;
        },
        async *extents(offset, length) {
          for (let at = offset; at < offset + length; ) {
            const end = Math.min(offset + length, at + BLOCK - (at % BLOCK));
            const kind = hasData[Math.floor(at / BLOCK)] ? 'data' : 'zero';
            yield { offset: at, length: end - at, kind, depth: 0, present: true, at };
            at = end;
          }
        },
      });
    return { open, reads };
  }

  test.each([31, 32, 33, 34])('seed %d: it reads as before, and zeroes are not read', async (seed) => {
    const folder = await temp.next();
    const path = join(folder, 'top.qcow2');
    const bases = { 'old.raw': sparse(seed), 'new.raw': sparse(seed + 100) };
    await createFile(path, {
      ...shape,
      size: BLOCKS * BLOCK + 512,
      backing: { name: 'old.raw', format: 'raw' },
    });
    const withBases = createDisks({
      formats: FORMATS,
      drivers: [fileDriver()],
      codecs: zlibCodecs,
      gate: async ({ name = '' }) => ({
        disk: bases[name as keyof typeof bases].open(),
        location: name,
        identity: name,
      }),
    });
    {
      await using disk = await withBases.open(path, { mountMode: 'rw' });
      const next = random(seed);
      for (let index = 0; index < 6; index++)
        await disk.write(next(disk.size() - 9000), noise(1 + next(9000), seed + index));
    }
    const content = async (): Promise<Uint8Array> => {
      await using disk = await withBases.open(path);
      return Uint8Array.from(await disk.read(0, disk.size()));
    };
    const before = await content();
    for (const { reads } of Object.values(bases)) reads.length = 0;
    {
      await using disk = await withBases.open(path, { mountMode: 'rw' });
      await using base = bases['new.raw'].open();
      await base.init();
      await rebase(disk, { disk: base, name: 'new.raw', format: 'raw' });
    }
    for (const { reads } of Object.values(bases))
      expect(reads.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan((BLOCKS * BLOCK * 3) / 4);
    expect(Buffer.compare(await content(), before)).toBe(0);
    await expectSound(path);
  });
});

test('a disk that has no backing name is not rebased', async () => {
  const folder = await temp.next();
  await writeFile(join(folder, 'a.raw'), noise(4096, 1));
  await using disk = await open(join(folder, 'a.raw'), { format: 'raw', mountMode: 'rw' });
  expect((await diskErrorOf(() => rebase(disk, undefined))).code).toBe('ERR_UNSUPPORTED');
});

test('a base that cannot be made as long as the overlay is told before anything is written', async () => {
  const { path } = await chain(16, {});
  await using overlay = await open(path('top.qcow2'));
  await using base = await open(path('middle.qcow2'));
  const error = await diskErrorOf(() => commit(overlay, base));
  expect(error.code).toBe('ERR_UNSUPPORTED');
});
