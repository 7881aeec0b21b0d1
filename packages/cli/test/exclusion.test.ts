import { type ChildProcess, spawn } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOutputFile } from '@diskstack/core/node';
import { describe, expect, test } from 'vitest';
import { describeWithQemu, qemuImg, tryQemuImg } from './support/qemu.ts';
import { diskstack, finished, start } from './support/run-cli.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const folder = tempFolder();
const SIZE = 4 * 1024 * 1024;
let count = 0;

/** A folder of its own with one raw image in it. */
function freshImage(): { readonly at: string; readonly image: string } {
  const at = join(folder, String(count++));
  mkdirSync(at);
  const image = join(at, 'disk.img');
  writeFileSync(image, new Uint8Array(SIZE));
  return { at, image };
}

const locksIn = (at: string): string[] => readdirSync(at).filter((name) => name.endsWith('.lock'));

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(10);
}

/** A run that has the image open for writing until its stdin ends. */
async function writer(at: string, image: string): Promise<ChildProcess> {
  const child = start(['write', image, '0'], at, ['pipe', 'pipe', 'pipe']);
  await until(() => locksIn(at).length > 0);
  return child;
}

describe('while another process writes an image', () => {
  test('it is neither written nor read, and the error names the process', async () => {
    const { at, image } = freshImage();
    const child = await writer(at, image);
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
        expect.stringContaining(`process ${child.pid} has the image open for writing`),
      ]);
      expect(stderr).toMatch(/ERR_LOCKED|ERR_IO: no disk can be opened/);
    }
    child.stdin?.end(new Uint8Array(16).fill(7));
    expect((await ended).status).toBe(0);
    expect(readFileSync(image)[0]).toBe(7);
    expect(readdirSync(at)).toEqual(['disk.img']);
  });

  test('-U reads it all the same, and writes nothing', async () => {
    const { at, image } = freshImage();
    const child = await writer(at, image);
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
    const { at, image } = freshImage();
    const other = nameOf(image, at);
    const child = await writer(at, image);
    const ended = finished(child);
    for (const args of [
      ['digest', other],
      ['write', other, '0', '--pattern', '1', '--length', '512'],
    ])
      expect((await runHere(...args)).stderr).toContain(`ERR_LOCKED`);
    child.stdin?.end();
    await ended;
    expect((await runHere('digest', other)).status).toBe(0);
  });
});

describe('a lock file', () => {
  test('that a killed process has left is taken over', async () => {
    const { at, image } = freshImage();
    const child = await writer(at, image);
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
    const { at, image } = freshImage();
    const child = await writer(at, image);
    const ended = finished(child);
    for (const signal of signals) child.kill(signal);
    expect((await ended).status).toBeGreaterThan(128);
    expect(locksIn(at)).toEqual([]);
  });

  test('does not survive an error, nor a reader of the output that has gone', async () => {
    const { at, image } = freshImage();
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
  const { at, image } = freshImage();
  const runs = await Promise.all(
    Array.from({ length: 6 }, () => diskstack(at, 'resize', '-f', 'raw', image, '+1M')),
  );
  const good = runs.filter(({ status }) => status === 0);
  for (const { status, stderr } of runs) if (status !== 0) expect(stderr).toContain('ERR_LOCKED');
  expect(good.length).toBeGreaterThan(0);
  expect(statSync(image).size).toBe(SIZE + good.length * 1024 * 1024);
  expect(locksIn(at)).toEqual([]);
});

describeWithQemu('an image that QEMU has open', () => {
  /** `qemu-io` with an image until its stdin ends: it locks as a machine does. */
  async function qemu(image: string, ...args: string[]): Promise<() => Promise<void>> {
    const child = spawn('qemu-io', [...args, '-f', 'qcow2', image], { stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
    const { ino } = statSync(image);
    await until(() => readFileSync('/proc/locks', 'utf8').includes(`:${ino} `));
    return async () => {
      child.stdin?.end();
      await ended;
    };
  }

  function freshQcow2(): { readonly at: string; readonly image: string } {
    const { at } = freshImage();
    qemuImg(at, 'create', '-q', '-f', 'qcow2', 'disk.qcow2', '4M');
    return { at, image: join(at, 'disk.qcow2') };
  }

  const reading = ['info', 'map', 'check', 'digest', 'bitmaps', 'snapshot', 'inspect', 'tree', 'measure'];
  const writing = [
    (image: string) => ['resize', image, '+1M'],
    (image: string) => ['snapshot', '-c', 'one', image],
    (image: string) => ['snapshot', '-U', '-c', 'one', image],
    (image: string) => ['bitmap', '--add', image, 'b'],
    (image: string) => ['write', image, '0', '--pattern', '1', '--length', '512'],
    (image: string) => ['check', '-r', 'all', image],
    (image: string) => ['create', '-f', 'qcow2', image, '1M'],
  ];

  test('for writing is neither read nor written; -U reads it', async () => {
    const { at, image } = freshQcow2();
    const before = readFileSync(image);
    const release = await qemu(image);
    try {
      for (const command of reading) {
        const { status, stderr } = await runHere(command, image);
        expect([command, status === 0, stderr]).toEqual([
          command,
          false,
          expect.stringContaining('QEMU, by its locks'),
        ]);
        expect([command, (await runHere(command, '-U', image)).status]).toEqual([command, 0]);
      }
      for (const args of writing) {
        const { status, stderr } = await runHere(...args(image));
        expect([args(image), status, stderr]).toEqual([
          args(image),
          1,
          expect.stringContaining('ERR_LOCKED'),
        ]);
      }
      expect(tryQemuImg(at, 'info', image).status).toBe(1);
      expect(readFileSync(image)).toEqual(before);
      expect(locksIn(at)).toEqual([]);
    } finally {
      await release();
    }
    expect((await runHere('info', image)).status).toBe(0);
  });

  test('for reading is read, and not written', async () => {
    const { at, image } = freshQcow2();
    const release = await qemu(image, '-r');
    try {
      for (const command of reading)
        expect([command, (await runHere(command, image)).status]).toEqual([command, 0]);
      for (const args of writing) {
        const { status, stderr } = await runHere(...args(image));
        expect([args(image), status, stderr]).toEqual([
          args(image),
          1,
          expect.stringContaining('ERR_LOCKED'),
        ]);
      }
      expect(tryQemuImg(at, 'resize', image, '8M').status).toBe(1);
    } finally {
      await release();
    }
    expect((await runHere('resize', image, '+1M')).status).toBe(0);
  });

  test('as the base of a running overlay is not written, and may be read', async () => {
    const { at, image } = freshQcow2();
    qemuImg(at, 'create', '-q', '-f', 'qcow2', '-b', 'disk.qcow2', '-F', 'qcow2', 'top.qcow2');
    const release = await qemu(join(at, 'top.qcow2'));
    try {
      expect((await runHere('resize', image, '+1M')).stderr).toContain('ERR_LOCKED');
      expect((await runHere('digest', image)).status).toBe(0);
      // The chain of a command is locked with all its files.
      qemuImg(at, 'create', '-q', '-u', '-f', 'qcow2', '-b', 'top.qcow2', '-F', 'qcow2', 'more.qcow2', '4M');
      expect((await runHere('digest', join(at, 'more.qcow2'))).stderr).toContain('top.qcow2');
    } finally {
      await release();
    }
  });
});

describeWithQemu('a commit', () => {
  test('keeps writers from the overlay until it is emptied, and is kept from it by them', async () => {
    const { at } = freshImage();
    qemuImg(at, 'create', '-q', '-f', 'qcow2', 'base.qcow2', '4M');
    qemuImg(at, 'create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', 'top.qcow2');
    const top = join(at, 'top.qcow2');
    const child = await writer(at, top);
    const ended = finished(child);
    const refused = await runHere('commit', top);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining(`process ${child.pid}`)]);
    child.stdin?.end(new Uint8Array(65_536).fill(5));
    await ended;
    const before = statSync(top).ino;
    expect((await runHere('commit', top)).status).toBe(0);
    expect(statSync(top).ino).not.toBe(before);
    expect((await runHere('read', '--raw', join(at, 'base.qcow2'), '0', '1')).stdout[0]).toBe(5);
    expect(locksIn(at)).toEqual([]);
  });
});

test('an output holds the image that it replaces until it has its name', async () => {
  const { at, image } = freshImage();
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
