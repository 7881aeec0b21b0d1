import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createOutputFile, FileDisk } from '@diskstack/core/node';
import { describe, expect, test } from 'vitest';
import { freshImage, HOSTS, locksIn, SIZE, WITHOUT_HOST, writer } from './support/other-writer.ts';
import { diskstack, finished, start } from './support/run-cli.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const folder = tempFolder();

describe.for(HOSTS)('while another process writes an image %s', ([, nodeOptions]) => {
  test('it is neither written nor read, and the error names the process', async () => {
    const { at, image } = freshImage(folder);
    const child = await writer(at, image, nodeOptions);
    const ended = finished(child);
    const raw = ['-f', 'raw'];
    for (const args of [
      ['write', ...raw, image, '0', '--pattern', '1', '--length', '512'],
      ['resize', ...raw, image, '+1M'],
      ['create', image, '1M'],
      ['convert', ...raw, image, join(at, 'out.img')],
      ['info', ...raw, image],
      ['map', ...raw, image],
      ['read', ...raw, image, '0', '16'],
      ['digest', ...raw, image],
      ['compare', ...raw, image, image],
      ['measure', ...raw, image],
      ['inspect', image],
      ['probe', image],
      ['tree', image],
    ]) {
      const { status, stderr } = await runHere(...args);
      expect([args[0], status === 0, stderr]).toEqual([
        args[0],
        false,
        expect.stringMatching(new RegExp(`process ${child.pid}( .node.)? has the image open for writing`)),
      ]);
      expect(stderr).toMatch(/ERR_LOCKED|ERR_IO: no disk can be opened/);
    }
    child.stdin?.end(new Uint8Array(16).fill(7));
    expect((await ended).status).toBe(0);
    expect(readFileSync(image)[0]).toBe(7);
    expect(readdirSync(at)).toEqual(['disk.img']);
  });

  test('-U reads it, and writes nothing', async () => {
    const { at, image } = freshImage(folder);
    const child = await writer(at, image, nodeOptions);
    const ended = finished(child);
    for (const args of [
      ['info', image],
      ['map', image],
      ['read', image, '0', '16'],
      ['digest', image],
      ['compare', image, image],
      ['measure', image],
      ['inspect', image],
      ['probe', image],
      ['tree', image],
      ['convert', image, join(at, 'out.img')],
    ]) {
      const { status, stderr } = await runHere(...args, '-U');
      expect([args[0], status, stderr]).toEqual([args[0], 0, '']);
    }
    expect((await runHere('rebase', '-U', '-u', '-b', '', '-f', 'raw', image)).stderr).toContain(
      'ERR_LOCKED',
    );
    child.stdin?.end();
    await ended;
  });

  test.for<readonly [string, (image: string, at: string) => string]>([
    [
      'a symbolic link',
      (image, at) => {
        symlinkSync(image, join(at, 'soft'));
        return join(at, 'soft');
      },
    ],
    [
      'a hard link in another folder',
      (image, at) => {
        mkdirSync(join(at, 'other'));
        linkSync(image, join(at, 'other', 'hard'));
        return join(at, 'other', 'hard');
      },
    ],
    [
      'another spelling',
      (image, at) => join(at, '.', '..', at.slice(at.lastIndexOf('/')), image.slice(at.length)),
    ],
  ])('its other names are closed too: %s', async ([, nameOf]) => {
    const { at, image } = freshImage(folder);
    const other = nameOf(image, at);
    const child = await writer(at, image, nodeOptions);
    const ended = finished(child);
    // The lock of further names follows the one beside the image, which `writer` waits for.
    let reading = await runHere('digest', other);
    while (reading.status === 0) reading = await runHere('digest', other);
    expect(reading.stderr).toMatch(/ERR_LOCKED.* \(-U, --force-share\)\n$/);
    const writing = await runHere('write', other, '0', '--pattern', '1', '--length', '512');
    expect(writing.stderr).toContain('ERR_LOCKED');
    expect(writing.stderr).not.toContain('--force-share');
    child.stdin?.end();
    await ended;
    expect((await runHere('digest', other)).status).toBe(0);
  });
});

test('a name that an image gets while it is open is closed too', async () => {
  const { at, image } = freshImage(folder);
  await using disk = new FileDisk(image, { writable: true });
  await disk.init();
  const other = join(at, 'other');
  mkdirSync(other);
  linkSync(image, join(other, 'hard.img'));
  renameSync(image, join(other, 'moved.img'));
  const write = (name: string) => diskstack(other, 'write', name, '0', '--pattern', '1', '--length', '512');
  for (const name of ['hard.img', 'moved.img']) {
    const { status, stderr } = await write(name);
    expect([name, status, stderr]).toEqual([name, 1, expect.stringContaining('ERR_LOCKED')]);
  }
  await disk.close();
  expect((await write('moved.img')).status).toBe(0);
});

describe('a lock file, which a process without the host makes,', () => {
  test('that a killed process has left is taken over', async () => {
    const { at, image } = freshImage(folder);
    const child = await writer(at, image, WITHOUT_HOST);
    const ended = finished(child);
    child.kill('SIGKILL');
    await ended;
    expect(locksIn(at)).toHaveLength(1);
    expect((await runHere('digest', image)).status).toBe(0);
    const { status } = await runHere('write', image, '0', '--pattern', '9', '--length', '512');
    expect(status).toBe(0);
    expect(readFileSync(image)[0]).toBe(9);
    expect(readdirSync(at)).toEqual(['disk.img']);
  });

  test.for<readonly [readonly NodeJS.Signals[]]>([
    [['SIGINT']],
    [['SIGTERM']],
    [['SIGHUP']],
    [['SIGINT', 'SIGTERM']],
  ])('does not survive %j, also while the command waits for its input', async ([signals]) => {
    const { at, image } = freshImage(folder);
    const child = await writer(at, image, WITHOUT_HOST);
    const ended = finished(child);
    for (const signal of signals) child.kill(signal);
    expect((await ended).status).toBeGreaterThan(128);
    expect(locksIn(at)).toEqual([]);
  });

  test('does not survive an error, nor a reader of the output that has gone', async () => {
    const { at, image } = freshImage(folder);
    expect(
      (await diskstack(at, 'write', image, String(SIZE), '--pattern', '1', '--length', '512')).status,
    ).toBe(1);
    expect(locksIn(at)).toEqual([]);
    const child = start(['resize', '-f', 'raw', image, '+1M'], at, ['ignore', 'pipe', 'pipe']);
    child.stdout?.destroy();
    await finished(child);
    expect(locksIn(at)).toEqual([]);
  });
});

test('of many writers at the same time each one has all of its effect, or none and an error', async () => {
  const { at, image } = freshImage(folder);
  const runs = await Promise.all(
    Array.from({ length: 6 }, () => diskstack(at, 'resize', '-f', 'raw', image, '+1M')),
  );
  const good = runs.filter(({ status }) => status === 0);
  for (const { status, stderr } of runs) if (status !== 0) expect(stderr).toContain('ERR_LOCKED');
  expect(good.length).toBeGreaterThan(0);
  expect(statSync(image).size).toBe(SIZE + good.length * 1024 * 1024);
  expect(locksIn(at)).toEqual([]);
});

test('an output holds the image that it replaces until it has its name', async () => {
  const { at, image } = freshImage(folder);
  const made = await createOutputFile(image, SIZE);
  expect((await diskstack(at, 'digest', image)).stderr).toContain(
    `process ${process.pid} has the image open`,
  );
  await made.discard();
  expect((await diskstack(at, 'digest', image)).status).toBe(0);
  const again = await createOutputFile(image, SIZE);
  await again.commit();
  expect(readdirSync(at)).toEqual(['disk.img']);
});
