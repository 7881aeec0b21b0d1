import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createOutputFile } from '../../../src/node/index.ts';
import { diskErrorOf, pattern } from '../../../src/testing/index.ts';
import { handlesOn, tellsHandles, tempFolder } from '../../support/temp-folder.ts';

const root = tempFolder();
let count = 0;

/** A folder of its own for each test. */
function folder(): string {
  const path = join(root, String(count++));
  mkdirSync(path);
  return path;
}

test('takes its name at commit, and not before', async () => {
  const path = join(folder(), 'out.img');
  const output = await createOutputFile(path, 1000);
  await output.disk.write(0, pattern(1000));
  expect(() => statSync(path)).toThrow('ENOENT');
  await output.commit();
  expect(new Uint8Array(readFileSync(path))).toEqual(pattern(1000));
  expect(readdirSync(join(path, '..'))).toEqual(['out.img']);
});

test('starts as zeroes of the requested size, and takes no space', async () => {
  const path = join(folder(), 'out.img');
  const output = await createOutputFile(path, 50_000_001);
  expect(output.startsAsZeroes).toBe(true);
  expect(output.disk.size()).toBe(50_000_001);
  expect(await output.disk.read(49_999_990, 99)).toEqual(new Uint8Array(11));
  await output.commit();
  expect(statSync(path).size).toBe(50_000_001);
  expect(statSync(path).blocks * 512).toBeLessThan(1_000_000);
});

test('replaces the file that has the name at commit', async () => {
  const path = join(folder(), 'out.img');
  writeFileSync(path, 'the old one');
  const output = await createOutputFile(path, 8);
  await output.disk.write(0, pattern(8));
  expect(readFileSync(path, 'utf8')).toBe('the old one');
  await output.commit();
  expect(new Uint8Array(readFileSync(path))).toEqual(pattern(8));
});

test('keeps a symbolic link, and replaces its target', async () => {
  const inside = folder();
  mkdirSync(join(inside, 'sub'));
  writeFileSync(join(inside, 'sub/real'), 'old');
  symlinkSync('sub/real', join(inside, 'link'));
  const output = await createOutputFile(join(inside, 'link'), 8);
  await output.disk.write(0, pattern(8));
  await output.commit();
  expect(new Uint8Array(readFileSync(join(inside, 'sub/real')))).toEqual(pattern(8));
  expect(readdirSync(inside).sort()).toEqual(['link', 'sub']);
});

test('leaves nothing when it is discarded, and keeps the file that has the name', async () => {
  const inside = folder();
  const path = join(inside, 'out.img');
  const first = await createOutputFile(path, 1000);
  await first.disk.write(0, pattern(1000));
  await first.discard();
  expect(readdirSync(inside)).toEqual([]);
  writeFileSync(path, 'the old one');
  await (await createOutputFile(path, 1000)).discard();
  expect(readdirSync(inside)).toEqual(['out.img']);
  expect(readFileSync(path, 'utf8')).toBe('the old one');
});

test('two of one name do not disturb each other', async () => {
  const path = join(folder(), 'out.img');
  const first = await createOutputFile(path, 8);
  const second = await createOutputFile(path, 16);
  await first.disk.write(0, pattern(8));
  await second.disk.write(0, pattern(16, 5));
  await second.commit();
  await first.commit();
  expect(new Uint8Array(readFileSync(path))).toEqual(pattern(8));
  expect(readdirSync(join(path, '..'))).toEqual(['out.img']);
});

test('a missing folder is a DiskError that names the file', async () => {
  const path = join(folder(), 'no/such/out.img');
  expect(await diskErrorOf(() => createOutputFile(path, 8))).toMatchObject({
    code: 'ERR_NOT_FOUND',
    layer: path,
  });
});

test('a folder of that name is a DiskError', async () => {
  const path = folder();
  expect(await diskErrorOf(() => createOutputFile(path, 8))).toMatchObject({
    code: 'ERR_ARGUMENT',
    layer: path,
  });
});

test('a size that the file system cannot have is a DiskError, with nothing left', async () => {
  const inside = folder();
  const path = join(inside, 'out.img');
  expect(await diskErrorOf(() => createOutputFile(path, Number.MAX_SAFE_INTEGER))).toMatchObject({
    layer: path,
  });
  expect(readdirSync(inside)).toEqual([]);
});

test('discard leaves nothing after a commit that failed', async () => {
  const inside = folder();
  const path = join(inside, 'out.img');
  const output = await createOutputFile(path, 8);
  mkdirSync(path);
  await expect(output.commit()).rejects.toBeDefined();
  await output.discard();
  expect(readdirSync(inside)).toEqual(['out.img']);
  expect(statSync(path).isDirectory()).toBe(true);
});

test('an error of commit is a DiskError', async () => {
  const path = join(folder(), 'out.img');
  const output = await createOutputFile(path, 8);
  mkdirSync(path);
  expect(await diskErrorOf(() => output.commit())).toMatchObject({ layer: path });
  await output.discard();
});

test.skipIf(!tellsHandles)(
  'what is neither a file nor a device is refused, with no handle left',
  async () => {
    const path = join(folder(), 'fifo');
    execFileSync('mkfifo', [path]);
    expect((await diskErrorOf(() => createOutputFile(path, 8))).code).toBe('ERR_ARGUMENT');
    expect(handlesOn(path)).toEqual([]);
  },
);

test('a file that is replaced leaves its permissions to the new one', async () => {
  const path = join(folder(), 'out.img');
  writeFileSync(path, 'secret');
  for (const mode of [0o600, 0o664]) {
    chmodSync(path, mode);
    await (await createOutputFile(path, 8)).commit();
    expect(statSync(path).mode & 0o777).toBe(mode);
  }
});

test('a dangling link leads to the new file', async () => {
  const inside = folder();
  const link = join(inside, 'link');
  symlinkSync('second', link);
  symlinkSync('out.img', join(inside, 'second'));
  await (await createOutputFile(link, 8)).commit();
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(lstatSync(join(inside, 'out.img')).size).toBe(8);
});

test('a loop of links is an error', async () => {
  const path = join(folder(), 'loop');
  symlinkSync('loop', path);
  expect((await diskErrorOf(() => createOutputFile(path, 8))).code).toBe('ERR_NOT_FOUND');
});

test.skipIf(process.getuid?.() !== 0)(
  `a file that is replaced leaves its owner and its group to the new one${process.getuid?.() === 0 ? '' : ' [skipped: only root may give files away]'}`,
  async () => {
    const path = join(folder(), 'out.img');
    writeFileSync(path, 'secret');
    chownSync(path, 1234, 5678);
    chmodSync(path, 0o660);
    await (await createOutputFile(path, 8)).commit();
    const { uid, gid, mode } = statSync(path);
    expect([uid, gid, mode & 0o777]).toEqual([1234, 5678, 0o660]);
  },
);
