import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileDisk } from '@diskstack/core/node';
import { beforeAll, describe, expect, test } from 'vitest';
import { openHost } from '../src/index.ts';
import { type FileSystem, mount, whyNoMounts } from './support/file-system.ts';
import { tempFolder } from './support/temp-folder.ts';

// Space of files on several file systems: what is read, and what `stat` reports.

const { space } = await openHost();
const KiB = 1024;
const MiB = 1024 * KiB;
const folder = tempFolder();
const isRoot = process.getuid?.() === 0;

interface Place {
  readonly title: string;
  /** Mounted for the tests. Absent: a folder of this computer. */
  readonly kind?: FileSystem;
  readonly root: string;
  readonly hasHoles: boolean;
}

const onMount = (kind: FileSystem, title: string = kind, hasHoles = true): Place => ({
  title,
  kind,
  root: join(folder, kind),
  hasHoles,
});
const PLACES: readonly Place[] = [
  { title: 'the temporary folder', root: folder, hasHoles: true },
  ...(existsSync('/dev/shm') ? [{ title: 'tmpfs', root: tempFolder('/dev/shm'), hasHoles: true }] : []),
  onMount('ext4'),
  onMount('xfs'),
  onMount('ext2', 'ext2, which cannot zero a range'),
  onMount('vfat', 'vfat, which has no holes', false),
];

function noise(bytes: number, seed: number): Uint8Array {
  let state = seed * 2_654_435_761 + 1;
  return Uint8Array.from({ length: bytes }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return 1 + ((state >>> 16) % 255); // never zero
  });
}

const taken = (path: string): number => statSync(path).blocks * 512;

async function opened(path: string): Promise<FileDisk> {
  const disk = new FileDisk(path, { writable: true, host: openHost });
  await disk.init();
  return disk;
}

describe.runIf(space !== undefined)('space', () => {
  for (const { title, kind, root, hasHoles } of PLACES) {
    const why = kind && whyNoMounts(kind);
    describe.skipIf(why !== undefined)(
      why === undefined ? `on ${title}` : `on ${title} [skipped: ${why}]`,
      () => {
        if (kind !== undefined) beforeAll(() => mount(folder, kind, kind === 'xfs' ? 320 * MiB : 40 * MiB));

        const file = (bytes: Uint8Array): string => {
          const path = join(root, 'disk.img');
          writeFileSync(path, bytes);
          return path;
        };

        test('discarded bytes are zero and free where there are holes, else unchanged', async () => {
          const content = noise(4 * MiB, 1);
          const path = file(content);
          await using disk = await opened(path);
          await disk.flush();
          const before = taken(path);
          await disk.discard?.(MiB, 2 * MiB);
          if (hasHoles) content.fill(0, MiB, 3 * MiB);
          expect(Buffer.compare(readFileSync(path), content)).toBe(0);
          // ext2 has blocks that name blocks, which are freed as well.
          expect(Math.floor((before - taken(path)) / MiB)).toBe(hasHoles ? 2 : 0);
          expect(disk.size()).toBe(4 * MiB);
        });

        test.for([
          ['unmap', true],
          ['keep', false],
        ] as const)('zeroes are zero at every border (%s)', async ([, unmap]) => {
          const content = noise(MiB, 2);
          const path = file(content);
          await using disk = await opened(path);
          for (const [at, length] of [
            [0, 1],
            [4095, 2],
            [10_000, 5000],
            [64 * KiB, 64 * KiB],
            [200_001, 300_000],
            [MiB - 7, 7],
            [500_000, 0],
          ] as const) {
            await disk.writeZeroes?.(at, length, { unmap });
            content.fill(0, at, at + length);
            expect(Buffer.compare(readFileSync(path), content)).toBe(0);
          }
          await disk.write(70_000, noise(100, 3));
          content.set(noise(100, 3), 70_000);
          expect(Buffer.compare(readFileSync(path), content)).toBe(0);
        });

        const onSmall = kind === 'ext4' ? test : undefined;
        onSmall?.('a full file system is a typed error', async () => {
          const path = join(root, 'large.img');
          writeFileSync(path, '');
          truncateSync(path, 100 * MiB);
          await using disk = await opened(path);
          await expect(disk.writeZeroes?.(0, 100 * MiB)).rejects.toMatchObject({
            code: 'ERR_NO_SPACE',
            layer: path,
            offset: expect.any(Number) as number,
          });
          rmSync(path);
        });

        test('zeroes that keep their space reserve it in a hole', async () => {
          const path = file(new Uint8Array(0));
          truncateSync(path, 4 * MiB);
          await using disk = await opened(path);
          await disk.writeZeroes?.(0, 4 * MiB);
          expect(taken(path)).toBeGreaterThanOrEqual(4 * MiB);
          expect(readFileSync(path).every((byte) => byte === 0)).toBe(true);
          if (!hasHoles) return;
          await disk.writeZeroes?.(0, 4 * MiB, { unmap: true });
          expect(taken(path)).toBeLessThan(64 * KiB);
        });
      },
    );
  }

  test('ranges outside, closed disks, readers and aborted signals are refused', async () => {
    const path = join(folder, 'plain.img');
    writeFileSync(path, new Uint8Array(4096));
    const disk = await opened(path);
    await expect(disk.discard?.(4000, 97)).rejects.toMatchObject({ code: 'ERR_OUT_OF_BOUNDS' });
    await expect(disk.writeZeroes?.(0, 4096, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    const zero = disk.writeZeroes;
    await disk.close();
    await expect(zero?.(0, 1)).rejects.toMatchObject({ code: 'ERR_STATE' });
    await using reader = new FileDisk(path, { host: openHost });
    await reader.init();
    expect([reader.discard, reader.writeZeroes]).toEqual([undefined, undefined]);
    await using plain = new FileDisk(path, { writable: true });
    await plain.init();
    expect([plain.discard, plain.writeZeroes]).toEqual([undefined, undefined]);
  });

  test.runIf(isRoot)('sectors of a device are zeroed, and parts of sectors written', async ({ skip }) => {
    const content = noise(2 * MiB, 4);
    const path = join(folder, 'device.img');
    writeFileSync(path, content);
    const made = spawnSync('losetup', ['--find', '--show', path], { encoding: 'utf8' });
    if (made.status !== 0) {
      skip('no loop device can be made here');
      return;
    }
    const device = made.stdout.trim();
    try {
      const disk = await opened(device);
      for (const [at, length] of [
        [0, 512],
        [1000, 100],
        [5000, 100_000],
        [2 * MiB - 300, 300],
      ] as const) {
        for (const unmap of [true, false]) await disk.writeZeroes?.(at, length, { unmap });
        content.fill(0, at, at + length);
        expect(Buffer.compare(await disk.read(0, 2 * MiB), content)).toBe(0);
      }
      await disk.discard?.(MiB, MiB / 2);
      content.fill(0, MiB, MiB * 1.5);
      expect(Buffer.compare(await disk.read(0, 2 * MiB), content)).toBe(0);
      await disk.flush();
      await disk.close();
    } finally {
      execFileSync('losetup', ['--detach', device]);
    }
    expect(Buffer.compare(readFileSync(path), content)).toBe(0);
  });
});
