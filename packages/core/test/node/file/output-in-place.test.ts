import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { InPlaceDisk } from '../../../src/node/file/in-place-disk.ts';
import { createOutputFile, FileDisk } from '../../../src/node/index.ts';
import { diskErrorOf, pattern } from '../../../src/testing/index.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const KiB = 1024;
const root = tempFolder();
let count = 0;

function folder(): string {
  const path = join(root, String(count++));
  mkdirSync(path);
  return path;
}

/** Why nothing can be mounted here, or nothing. */
function missingMount(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root mounts';
  const [file, over] = [join(root, 'mount-a'), join(root, 'mount-b')];
  for (const path of [file, over]) writeFileSync(path, '');
  if (spawnSync('mount', ['--bind', file, over]).status !== 0) return 'mount --bind is refused';
  execFileSync('umount', [over]);
  return undefined;
}

function missingImmutable(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root makes a folder immutable';
  const path = folder();
  if (spawnSync('chattr', ['+i', path]).status !== 0) return 'chattr +i is refused';
  execFileSync('chattr', ['-i', path]);
  return undefined;
}

const noMount = missingMount();
const noImmutable = missingImmutable();
for (const reason of [noMount, noImmutable])
  if (reason !== undefined) console.warn(`WARNING: tests of outputs in place are skipped: ${reason}`);
const named = (title: string, reason: string | undefined): string =>
  reason === undefined ? title : `${title} [skipped: ${reason}]`;

/** A file that is mounted on another one of its folder. */
function mounted(content: string): {
  readonly path: string;
  readonly inside: string;
  readonly below: string;
} {
  const inside = folder();
  const [path, below] = [join(inside, 'out.img'), join(inside, 'below.img')];
  writeFileSync(path, '');
  writeFileSync(below, content);
  execFileSync('mount', ['--bind', below, path]);
  onTestFinished(() => {
    execFileSync('umount', [path]);
  });
  return { path, inside, below };
}

/** A file in a folder that takes no new ones. */
function closedIn(content: string): { readonly path: string; readonly inside: string } {
  const inside = folder();
  const path = join(inside, 'out.img');
  writeFileSync(path, content);
  execFileSync('chattr', ['+i', inside]);
  onTestFinished(() => {
    execFileSync('chattr', ['-i', inside]);
  });
  return { path, inside };
}

test.skipIf(noMount)(named('a file that is a mount point is written in place', noMount), async () => {
  const { path, below, inside } = mounted('old '.repeat(10_000));
  const { ino } = statSync(path);
  const output = await createOutputFile(path, 9 * KiB);
  expect(readFileSync(path, 'utf8')).toBe('old '.repeat(10_000)); // until the first write
  expect(output.startsAsZeroes).toBe(true);
  await output.disk.write(5 * KiB, pattern(3 * KiB));
  await output.disk.write(0, pattern(5 * KiB));
  expect(new Uint8Array(readFileSync(path)).subarray(0, 4 * KiB)).toEqual(new Uint8Array(4 * KiB)); // no header yet
  expect(await output.disk.read(0, 5 * KiB)).toEqual(pattern(5 * KiB));
  await output.commit({ sync: true });
  const expected = new Uint8Array(9 * KiB);
  expected.set(pattern(5 * KiB));
  expected.set(pattern(3 * KiB), 5 * KiB);
  expect(new Uint8Array(readFileSync(below))).toEqual(expected);
  expect(statSync(path).ino).toBe(ino);
  expect(readdirSync(inside).sort()).toEqual(['below.img', 'out.img']);
});

test.skipIf(noImmutable)(named('a file in a closed folder is written in place', noImmutable), async () => {
  const { path, inside } = closedIn('old');
  const output = await createOutputFile(path, 100);
  await output.disk.write(10, pattern(90));
  await output.commit();
  expect(new Uint8Array(readFileSync(path)).subarray(10)).toEqual(pattern(90));
  expect(readdirSync(inside)).toEqual(['out.img']);
});

test.skipIf(noImmutable)(named('no new file is made in a closed folder', noImmutable), async () => {
  const { inside } = closedIn('old');
  const path = join(inside, 'new.img');
  expect(await diskErrorOf(() => createOutputFile(path, 100))).toMatchObject({ code: 'ERR_IO', layer: path });
});

test.skipIf(noImmutable)(
  named('discarded before the first write it keeps its content, and is empty afterwards', noImmutable),
  async () => {
    const { path } = closedIn('old');
    await (await createOutputFile(path, 100)).discard();
    expect(readFileSync(path, 'utf8')).toBe('old');
    const output = await createOutputFile(path, 100_000);
    await output.disk.write(50_000, pattern(10));
    await output.discard();
    expect(statSync(path).size).toBe(0);
  },
);

test.skipIf(noImmutable)(
  named('a size that the file system refuses costs no content', noImmutable),
  async () => {
    const { path } = closedIn('old');
    const output = await createOutputFile(path, Number.MAX_SAFE_INTEGER);
    expect((await diskErrorOf(() => output.disk.write(0, pattern(10)))).layer).toBe(path);
    expect(statSync(path).size).toBe(3);
    await output.discard();
  },
);

test.skipIf(noMount)(
  named('a file that cannot be renamed over gets the content when it is whole', noMount),
  async () => {
    const inside = folder();
    const [path, below] = [join(inside, 'out.img'), join(inside, 'below.img')];
    writeFileSync(path, 'first');
    writeFileSync(below, 'precious');
    const output = await createOutputFile(path, 3 * 1024 * KiB);
    await output.disk.write(0, pattern(20 * KiB));
    await output.disk.write(1024 * KiB, pattern(20 * KiB, 3));
    execFileSync('mount', ['--bind', below, path]); // EBUSY from now on
    onTestFinished(() => {
      execFileSync('umount', [path]);
    });
    expect(readFileSync(below, 'utf8')).toBe('precious');
    await output.commit();
    const bytes = new Uint8Array(readFileSync(below));
    expect(bytes).toHaveLength(3 * 1024 * KiB);
    expect(bytes.subarray(0, 20 * KiB)).toEqual(pattern(20 * KiB));
    expect(bytes.subarray(1024 * KiB, 1044 * KiB)).toEqual(pattern(20 * KiB, 3));
    expect(statSync(below).blocks * 512).toBeLessThan(1024 * KiB); // as sparse as it was
    expect(readdirSync(inside).sort()).toEqual(['below.img', 'out.img']);
  },
);

test('a name of 255 bytes, and one of 255 bytes that are not one a character', async () => {
  for (const name of [`${'x'.repeat(251)}.img`, `${'€'.repeat(85)}`]) {
    expect(Buffer.byteLength(name)).toBe(255);
    const inside = folder();
    const output = await createOutputFile(join(inside, name), 8);
    await output.disk.write(0, pattern(8));
    expect(readdirSync(inside).filter((entry) => entry.endsWith('.partial'))).toHaveLength(1);
    await output.commit();
    expect(readdirSync(inside)).toEqual([name]);
  }
});

test('another hard link of the file that is replaced keeps the old content', async () => {
  const inside = folder();
  writeFileSync(join(inside, 'out.img'), 'old');
  linkSync(join(inside, 'out.img'), join(inside, 'other.img'));
  const output = await createOutputFile(join(inside, 'out.img'), 8);
  await output.commit();
  expect(readFileSync(join(inside, 'other.img'), 'utf8')).toBe('old');
  expect(statSync(join(inside, 'out.img')).size).toBe(8);
});

test.skipIf(process.platform === 'win32')(
  'what cannot hold a disk is refused, and nothing waits for it',
  async () => {
    const inside = folder();
    execFileSync('mkfifo', [join(inside, 'fifo')]);
    symlinkSync('fifo', join(inside, 'link'));
    for (const [path, what] of [
      [join(inside, 'fifo'), 'a FIFO'],
      [join(inside, 'link'), 'a FIFO'],
      ['/dev/null', 'a character device'],
      [inside, 'a folder'],
    ] as const) {
      const error = await diskErrorOf(() => createOutputFile(path, 8));
      expect(error.code).toBe('ERR_ARGUMENT');
      expect(error.message).toContain(what);
    }
    expect(readdirSync(inside).sort()).toEqual(['fifo', 'link']);
  },
);

test('a file that may not be written is not replaced in a folder that takes none', async (context) => {
  if (noImmutable !== undefined) return context.skip(noImmutable);
  const { path } = closedIn('old');
  execFileSync('chattr', ['+i', path]);
  onTestFinished(() => {
    execFileSync('chattr', ['-i', path]);
  });
  expect((await diskErrorOf(() => createOutputFile(path, 8))).code).toBe('ERR_IO');
  expect(readFileSync(path, 'utf8')).toBe('old');
});

test('any writes and reads across the end of the head are those of a file', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(12_000), fc.integer({ min: 1, max: 6000 })), { maxLength: 8 }),
      async (places) => {
        const path = join(folder(), 'a.img');
        writeFileSync(path, 'old');
        await using disk = new InPlaceDisk(new FileDisk(path, { writable: true }), 20_003);
        await disk.init();
        const expected = new Uint8Array(20_003);
        for (const [index, [offset, length]] of places.entries()) {
          expected.set(pattern(length, index), offset);
          await disk.write(offset, pattern(length, index));
          expect(await disk.read(offset - (offset % 100), 5000)).toEqual(
            expected.slice(offset - (offset % 100), offset - (offset % 100) + 5000),
          );
        }
        await disk.finish(false);
        expect(new Uint8Array(readFileSync(path))).toEqual(expected);
      },
    ),
    { numRuns: 40 },
  ));

test('refuses calls before init, past the end and after close', async () => {
  const path = join(folder(), 'a.img');
  writeFileSync(path, 'old');
  const disk = new InPlaceDisk(new FileDisk(path, { writable: true }), 5000);
  expect((await diskErrorOf(() => disk.read(0, 1))).code).toBe('ERR_STATE');
  await disk.init();
  expect((await diskErrorOf(() => disk.write(4000, pattern(1001)))).code).toBe('ERR_OUT_OF_BOUNDS');
  const signal = AbortSignal.abort();
  expect((await diskErrorOf(() => disk.write(0, pattern(1), { signal }))).code).toBe('ERR_ABORTED');
  expect(readFileSync(path, 'utf8')).toBe('old');
  await disk.close();
  expect((await diskErrorOf(() => disk.write(0, pattern(1)))).code).toBe('ERR_STATE');
});

test('growing and shrinking keep the head right', async () => {
  const path = join(folder(), 'a.img');
  writeFileSync(path, 'old content');
  chmodSync(path, 0o600);
  const file = new FileDisk(path, { writable: true });
  await using disk = new InPlaceDisk(file, 0);
  await disk.init();
  await disk.resize?.(10 * KiB);
  await disk.write(0, pattern(10 * KiB));
  await disk.resize?.(1000, { shrink: true });
  await disk.resize?.(8 * KiB);
  const expected = new Uint8Array(8 * KiB);
  expected.set(pattern(1000));
  expect(await disk.read(0, 9 * KiB)).toEqual(expected);
  await disk.finish(false);
  expect(new Uint8Array(readFileSync(path))).toEqual(expected);
  expect(existsSync(path)).toBe(true);
});
