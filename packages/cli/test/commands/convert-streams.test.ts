import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { counting, endlessImage } from '../support/images.ts';
import { create, describeWithQemu, qemuImg } from '../support/qemu.ts';
import { diskstack, finished, type Run, start } from '../support/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MIB = 1 << 20;
const folder = tempFolder();
const at = (name: string): string => join(folder, name);

/** A disk with data, and zeroes in whole blocks and in parts of them. */
function content(): Buffer {
  const bytes = Buffer.alloc(9 * MIB + 1536);
  bytes.set(counting(300_000), 70_000);
  bytes.fill(7, 5 * MIB - 1, 5 * MIB + 1);
  bytes.set(counting(MIB, 3), 8 * MIB);
  bytes.fill(9, bytes.length - 3);
  return bytes;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Runs the command with these bytes as its standard input. */
function fed(input: Uint8Array, ...args: string[]): Promise<Run> {
  const child = start(args, folder, ['pipe', 'pipe', 'pipe']);
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  return finished(child);
}

const QUIET = { status: 0, stderr: '' };

describe.skipIf(process.platform === 'win32')('convert from standard input', () => {
  test.each(['-', '/dev/stdin'])('%s to a raw file, which has as many holes', async (name) => {
    const { status, stderr } = await fed(content(), 'convert', '-f', 'raw', name, 'out.raw');
    expect({ status, stderr }).toEqual(QUIET);
    expect(readFileSync(at('out.raw')).equals(content())).toBe(true);
    expect(statSync(at('out.raw')).blocks * 512).toBeLessThan(2 * MIB);
  });

  test('to a raw file that takes all of its space', async () => {
    const run = await fed(content(), 'convert', '-S', '0', '-', 'full.raw');
    expect(run).toMatchObject(QUIET);
    expect(readFileSync(at('full.raw')).equals(content())).toBe(true);
    expect(statSync(at('full.raw')).blocks * 512).toBeGreaterThanOrEqual(9 * MIB);
  });

  test('of one byte, and of no whole number of sectors', async () => {
    for (const size of [1, 511, 513, 65_537]) {
      expect(await fed(counting(size), 'convert', '-', 'short.raw')).toMatchObject(QUIET);
      expect(readFileSync(at('short.raw')).equals(Buffer.from(counting(size)))).toBe(true);
    }
  });

  test('in a row with files', async () => {
    writeFileSync(at('first.raw'), counting(1000));
    const run = await fed(content(), 'convert', '-f', 'raw', 'first.raw', '-', 'first.raw', 'row.raw');
    expect(run).toMatchObject(QUIET);
    const pad = Buffer.concat([counting(1000), Buffer.alloc(24)]);
    expect(readFileSync(at('row.raw')).equals(Buffer.concat([pad, content(), counting(1000)]))).toBe(true);
  });

  test('that is empty is refused, because the program before it may have failed', async () => {
    writeFileSync(at('kept.raw'), 'precious');
    const { status, stderr } = await fed(Buffer.alloc(0), 'convert', '-f', 'raw', '-', 'kept.raw');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^diskstack: ERR_SHORT_READ: standard input is empty[^\n]+\n$/);
    expect(readFileSync(at('kept.raw'), 'utf8')).toBe('precious');
    const closed = spawnSync(
      'sh',
      ['-c', 'exec "$@" <&-', 'sh', ...commandOf('convert', '-f', 'raw', '-', 'kept.raw')],
      {
        cwd: folder,
      },
    );
    expect(closed.status).toBe(1);
    expect(readFileSync(at('kept.raw'), 'utf8')).toBe('precious');
  });

  test('a folder as standard input is refused', async () => {
    const run = spawnSync(
      'sh',
      ['-c', 'exec "$@" < .', 'sh', ...commandOf('convert', '-f', 'raw', '-', 'none.raw')],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
    expect(existsSync(at('none.raw'))).toBe(false);
  });

  test.each([
    ['-f', 'qcow2'],
    ['--snapshot', 'one'],
  ])('%s %s of a stream is refused', async (...flags) => {
    const { status, stderr } = await fed(counting(512), 'convert', ...flags, '-', 'none.raw');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^diskstack: ERR_UNSUPPORTED: [^\n]+\n$/);
    expect(existsSync(at('none.raw'))).toBe(false);
  });
});

describeWithQemu('convert from standard input to qcow2', () => {
  test.each([[], ['-c'], ['-o', 'preallocation=metadata'], ['-o', 'cluster_size=4k']])(
    '%j',
    async (...flags) => {
      const run = await fed(content(), 'convert', '-f', 'raw', '-O', 'qcow2', ...flags, '-', 'out.qcow2');
      expect(run).toMatchObject(QUIET);
      writeFileSync(at('source.raw'), content());
      qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow2', 'source.raw', 'out.qcow2');
      expect(readdirSync(folder).filter((name) => /spool|partial/.test(name))).toEqual([]);
    },
  );

  test('an image in another format is a raw disk only with -f raw', async () => {
    create(folder, 'image.qcow2', 'qcow2', '1M');
    const bytes = readFileSync(at('image.qcow2'));
    const { status, stderr } = await fed(bytes, 'convert', '-', 'none.raw');
    expect(status).toBe(1);
    expect(stderr).toContain('-f raw');
    expect(existsSync(at('none.raw'))).toBe(false);
    expect(await fed(bytes, 'convert', '-f', 'raw', '-', 'taken.raw')).toMatchObject(QUIET);
    expect(readFileSync(at('taken.raw')).equals(bytes)).toBe(true);
  });
});

describeWithQemu('convert to standard output', () => {
  beforeAll(() => {
    writeFileSync(at('source.raw'), content());
    qemuImg(folder, 'convert', '-f', 'raw', '-O', 'qcow2', '-c', 'source.raw', 'source.qcow2');
  });

  test.each(['-', '/dev/stdout'])('%s is the raw disk, with progress on stderr', async (name) => {
    const { status, stdout, stderr } = await diskstack(folder, 'convert', '-p', 'source.qcow2', name);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^ {4}\(0\.00\/100%\)\r( {4}\(\d+\.\d\d\/100%\)\r)* {4}\(100\.00\/100%\)\r\n$/);
    const whole = Buffer.concat([content(), Buffer.alloc(stdout.length - content().length)]); // whole sectors
    expect(digest(stdout)).toBe(digest(whole));
  });

  test('from standard input', async () => {
    const { status, stdout, stderr } = await fed(content(), 'convert', '-f', 'raw', '-', '-');
    expect({ status, stderr }).toEqual(QUIET);
    expect(digest(stdout)).toBe(digest(content()));
  });

  test('to a file of the shell', () => {
    const command = commandOf('convert', 'source.raw', '-');
    const run = spawnSync('sh', ['-c', 'exec "$@" > shell.raw', 'sh', ...command], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(run).toMatchObject(QUIET);
    expect(readFileSync(at('shell.raw')).equals(content())).toBe(true);
    const over = spawnSync('sh', ['-c', 'exec "$@" >> source.raw', 'sh', ...command], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(over.status).toBe(1);
    expect(over.stderr).toContain('the same file as the input');
    expect(readFileSync(at('source.raw')).equals(content())).toBe(true);
  });

  test.each([['-O', 'qcow2'], ['-n'], ['-o', 'preallocation=full'], ['-c']])(
    'is refused with %s %s',
    async (...flags) => {
      const { status, stdout, stderr } = await diskstack(folder, 'convert', ...flags, 'source.raw', '-');
      expect([status, stdout.length]).toEqual([1, 0]);
      expect(stderr).toMatch(/^diskstack: ERR_ARGUMENT: [^\n]+\n$/);
    },
  );

  test('a reader that closes it ends the command without a message', async () => {
    mkdirSync(at('endless'));
    endlessImage(at('endless'), 'endless.qcow2');
    for (const args of [
      ['convert', 'endless.qcow2', '-'],
      ['dd', 'if=endless.qcow2', 'of=-'],
    ]) {
      const child = start(args, at('endless'));
      child.stdout?.once('data', () => child.stdout?.destroy());
      const { status, stderr } = await finished(child);
      expect({ status, stderr }).toEqual({ status: 141, stderr: '' });
    }
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it while its pipe is full', async (signal) => {
    const child = start(['convert', 'endless.qcow2', '-'], at('endless'));
    const run = new Promise<number | null>((resolve) => {
      child.once('exit', resolve);
    });
    await new Promise((resolve) => child.stdout?.once('readable', resolve)); // it is at work, and its pipe fills
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill(signal);
    expect(await run).toBe(signal === 'SIGINT' ? 130 : 143);
    child.stdout?.destroy();
  });

  test('SIGINT ends the wait for standard input, and leaves nothing', async () => {
    mkdirSync(at('waiting'));
    for (const format of ['raw', 'qcow2']) {
      const child = start(['convert', '-f', 'raw', '-O', format, '-', 'out'], at('waiting'), [
        'pipe',
        'pipe',
        'pipe',
      ]);
      const run = finished(child);
      child.stdin?.on('error', () => {});
      await new Promise((resolve) => child.stdin?.write(counting(3 * MIB), resolve)); // more than a pipe holds: it is read
      child.kill('SIGINT');
      const { status, stderr } = await run;
      expect({ status, stderr }).toEqual({
        status: 130,
        stderr: 'diskstack: ERR_ABORTED: interrupted by SIGINT\n',
      });
      expect(readdirSync(at('waiting'))).toEqual([]);
    }
  });

  test('SIGINT ends the wait for a rate', async () => {
    mkdirSync(at('rate'));
    writeFileSync(at('rate/in.raw'), content());
    for (const output of ['raw', 'qcow2']) {
      const args = ['convert', '-p', '-r', '1k', '-f', 'raw', '-O', output, 'in.raw', 'out'];
      const child = start(args, at('rate'));
      const run = finished(child);
      while (!readdirSync(at('rate')).some((name) => name.endsWith('.partial')))
        await new Promise((resolve) => setTimeout(resolve, 20));
      await new Promise((resolve) => setTimeout(resolve, 100));
      child.kill('SIGINT');
      expect((await run).status).toBe(130);
      expect(readdirSync(at('rate'))).toEqual(['in.raw']);
    }
  });
});

/** The command line of a run, for a shell. */
function commandOf(...args: string[]): readonly string[] {
  const child = start(args, folder, 'ignore');
  child.kill('SIGKILL'); // only its arguments are wanted
  return child.spawnargs;
}

const noTmpfs = process.getuid?.() === 0 && canMount() ? undefined : 'only root mounts a small file system';
if (noTmpfs !== undefined) console.warn(`WARNING: tests of full file systems are skipped: ${noTmpfs}`);

function canMount(): boolean {
  mkdirSync(at('small'), { recursive: true });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', at('small')]).status !== 0) return false;
  execFileSync('umount', [at('small')]);
  return true;
}

/** A file system of 1 MiB. */
function smallFolder(): string {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', at('small')]);
  onTestFinished(() => {
    execFileSync('umount', [at('small')]);
  });
  return at('small');
}

describe(`outputs that are special${noTmpfs === undefined ? '' : ` [skipped: ${noTmpfs}]`}`, () => {
  test.skipIf(noTmpfs).each([
    ['convert', '-f', 'raw', '../in.raw', 'out'],
    ['convert', '-f', 'raw', '-O', 'qcow2', '../in.raw', 'out'],
    ['convert', '-f', 'raw', '-O', 'qcow2', '-c', '-o', 'preallocation=off', '../in.raw', 'out'],
    ['dd', '-f', 'raw', 'if=../in.raw', 'of=out'],
  ])('a full file system: %j', async (...args) => {
    const inside = smallFolder();
    const random = Buffer.alloc(4 * MIB);
    for (let index = 0; index < random.length; index += 4)
      random.writeUInt32LE(Math.imul(index, 2_654_435_761) >>> 0, index);
    writeFileSync(at('in.raw'), random);
    writeFileSync(join(inside, 'out'), 'precious');
    const { status, stderr } = await diskstack(inside, ...args);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^diskstack: ERR_NO_SPACE: [^\n]+\n$/);
    expect(readdirSync(inside)).toEqual(['out']);
    expect(readFileSync(join(inside, 'out'), 'utf8')).toBe('precious');
  });

  test.skipIf(noTmpfs)('a file of a read-only folder that is mounted itself', async () => {
    const inside = smallFolder();
    writeFileSync(join(inside, 'out'), 'old');
    writeFileSync(at('below'), 'below');
    execFileSync('mount', ['--bind', at('below'), join(inside, 'out')]);
    execFileSync('mount', ['-o', 'remount,ro', inside]);
    try {
      writeFileSync(at('in.raw'), counting(100_000));
      for (const format of ['raw', 'qcow2']) {
        const run = await diskstack(inside, 'convert', '-f', 'raw', '-O', format, at('in.raw'), 'out');
        expect(run).toMatchObject(QUIET);
        const compared = await diskstack(inside, 'compare', '-f', 'raw', '-F', format, at('in.raw'), 'out');
        expect(compared.status).toBe(0);
      }
    } finally {
      execFileSync('umount', [join(inside, 'out')]);
    }
  });

  test.skipIf(noTmpfs).each(['raw', 'qcow2'])(
    'interrupted, a %s file that is written in place is empty',
    async (format) => {
      const inside = at(`place-${format}`);
      const below = at('below');
      mkdirSync(inside);
      writeFileSync(below, 'below');
      writeFileSync(join(inside, 'out'), '');
      writeFileSync(at('in.raw'), counting(MIB));
      execFileSync('mount', ['--bind', below, join(inside, 'out')]);
      const child = start(['convert', '-f', 'raw', '-r', '64k', '-O', format, at('in.raw'), 'out'], inside);
      const run = finished(child);
      onTestFinished(async () => {
        child.kill('SIGKILL');
        await run;
        execFileSync('umount', [join(inside, 'out')]);
      });
      const begins = (): string => readFileSync(below).subarray(0, 5).toString();
      while (statSync(below).size < 64_000 || begins() === 'below')
        await new Promise((resolve) => setTimeout(resolve, 20));
      expect(readFileSync(below).subarray(0, 4096).equals(Buffer.alloc(4096))).toBe(true);
      child.kill('SIGINT');
      const { status, stderr } = await run;
      expect({ status, stderr }).toEqual({
        status: 130,
        stderr: 'diskstack: ERR_ABORTED: interrupted by SIGINT\n',
      });
      expect(statSync(below).size).toBe(0);
    },
  );

  test.skipIf(process.platform === 'win32')(
    'a FIFO, a device of characters, a folder: refused, and nothing waits',
    async () => {
      const inside = at('odd');
      mkdirSync(inside);
      execFileSync('mkfifo', [join(inside, 'fifo')]);
      symlinkSync('fifo', join(inside, 'link'));
      writeFileSync(at('in.raw'), counting(512));
      for (const target of ['fifo', 'link', '/dev/null', '/dev/zero', '.'])
        for (const flags of [[], ['-n']]) {
          const { status, stderr } = await diskstack(
            inside,
            'convert',
            '-f',
            'raw',
            ...flags,
            '../in.raw',
            target,
          );
          expect(status).toBe(1);
          expect(stderr).toMatch(/^diskstack: ERR_ARGUMENT: [^\n]+\n$/);
        }
      expect(readdirSync(inside).sort()).toEqual(['fifo', 'link']);
    },
  );

  test('a name of 255 bytes', async () => {
    const name = `${'n'.repeat(249)}.qcow2`;
    writeFileSync(at('in.raw'), counting(512));
    expect(await diskstack(folder, 'convert', '-f', 'raw', '-O', 'qcow2', 'in.raw', name)).toMatchObject(
      QUIET,
    );
    expect(await diskstack(folder, 'compare', '-f', 'raw', '-F', 'qcow2', 'in.raw', name)).toMatchObject({
      status: 0,
    });
  });
});
