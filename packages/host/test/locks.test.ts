import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FileDisk } from '@diskstack/core/node';
import { describe, expect, test } from 'vitest';
import { openHost } from '../src/index.ts';
import { tempFolder } from './support/temp-folder.ts';

// Locks between processes with and without the host, threads, and disks of one process.

const { locks } = await openHost();
const folder = tempFolder();
const host = new URL('../src/index.ts', import.meta.url).href;
const node = import.meta.resolve('@diskstack/core/node');
let count = 0;

function image(): string {
  const path = join(folder, `${count++}.img`);
  writeFileSync(path, new Uint8Array(4096));
  return path;
}

type Mode = 'r' | 'rw';

/** Opens an image: says `open` or the code and reason of the error, and waits. */
const SCRIPT = (path: string, mode: Mode) => `
  const { openHost } = await import(${JSON.stringify(host)});
  const { FileDisk } = await import(${JSON.stringify(node)});
  const disk = new FileDisk(${JSON.stringify(path)}, { writable: ${mode === 'rw'}, host: openHost });
  const answer = await disk.init().then(() => 'open', (error) => error.code + ' ' + error.reason);`;

interface Other {
  readonly child: ChildProcess;
  readonly answer: string;
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** Another process, with or without the host. */
async function other(path: string, mode: Mode, hasHost: boolean): Promise<Other> {
  const script = `${SCRIPT(path, mode)}
    process.stdout.write(answer + '\\n');
    await new Promise((resolve) => process.stdin.resume().once('end', resolve));
    await disk.close();`;
  const flags = ['--conditions=@diskstack/source', '--disable-warning=ExperimentalWarning'];
  if (!hasHost) flags.push('--no-experimental-ffi', '--no-addons');
  const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  const answer = await new Promise<string>((resolve) =>
    child.stdout?.once('data', (data) => resolve(String(data).trim())),
  );
  return {
    child,
    answer,
    async end(signal) {
      if (signal === undefined) child.stdin?.end();
      else child.kill(signal);
      await ended;
    },
  };
}

async function here(path: string, mode: Mode): Promise<FileDisk> {
  const disk = new FileDisk(path, { writable: mode === 'rw', host: openHost });
  await disk.init();
  return disk;
}

const lockFiles = (): readonly string[] => readdirSync(folder).filter((name) => name.endsWith('.lock'));
const MIXES = [
  ['with', 'with'],
  ['with', 'without'],
  ['without', 'with'],
  ['without', 'without'],
] as const;

describe.runIf(locks !== undefined)('locks', () => {
  test.for(MIXES)('a writer %s the host keeps out others %s it', async ([one, two]) => {
    const [first, second] = [one === 'with', two === 'with'];
    const path = image();
    const writer = await other(path, 'rw', first);
    expect(writer.answer).toBe('open');
    expect(lockFiles().length).toBe(first ? 0 : 1);
    for (const mode of ['r', 'rw'] as const) {
      const late = await other(path, mode, second);
      expect(late.answer).toMatch(
        new RegExp(`^ERR_LOCKED process ${writer.child.pid}( .node.)? has the image open for writing`),
      );
      await late.end();
    }
    await writer.end();
    const free = await other(path, 'rw', second);
    expect(free.answer).toBe('open');
    await free.end();
    expect(lockFiles()).toEqual([]);
  });

  test.for([true, false])(
    'a reader with the host keeps writers out, and no readers (%s)',
    async (hasHost) => {
      const path = image();
      const reader = await other(path, 'r', true);
      const second = await other(path, 'r', hasHost);
      expect([reader.answer, second.answer]).toEqual(['open', 'open']);
      const writer = await other(path, 'rw', hasHost);
      expect(writer.answer).toMatch(/^ERR_LOCKED process [0-9]+ \(node\) has the image open for reading$/);
      for (const one of [reader, second, writer]) await one.end();
      const late = await other(path, 'rw', hasHost);
      expect(late.answer).toBe('open');
      await late.end();
    },
  );

  test('a killed process leaves nothing', async () => {
    const path = image();
    const writer = await other(path, 'rw', true);
    await writer.end('SIGKILL');
    await using disk = await here(path, 'rw');
    expect(disk.size()).toBe(4096);
    expect(lockFiles()).toEqual([]);
  });

  test('disks of one process do not keep each other out, and keep others out until the last is closed', async () => {
    const path = image();
    const disks = [await here(path, 'r'), await here(path, 'rw'), await here(path, 'r')];
    const expected = ['for writing', 'for writing', 'for reading', undefined];
    for (const what of expected) {
      const writer = await other(path, 'rw', true);
      if (what === undefined) expect(writer.answer).toBe('open');
      else expect(writer.answer).toContain(what);
      await writer.end();
      await disks.shift()?.close();
    }
  });

  /** The answer of a thread of this process. */
  async function thread(path: string, mode: Mode): Promise<string> {
    const script = `(async () => { ${SCRIPT(path, mode)}
      await disk.close();
      require('node:worker_threads').parentPort.postMessage(answer); })();`;
    const worker = new Worker(script, {
      eval: true,
      execArgv: ['--conditions=@diskstack/source', '--disable-warning=ExperimentalWarning'],
    });
    const answer = await new Promise<string>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await worker.terminate();
    return answer;
  }

  test('another thread reads what this one has open, and does not write what it writes', async () => {
    const path = image();
    const reader = await here(path, 'r');
    expect(await thread(path, 'r')).toBe('open');
    expect(await thread(path, 'rw')).toBe('open');
    await reader.close();
    const writer = await here(path, 'rw');
    expect(await thread(path, 'r')).toBe('open');
    expect(await thread(path, 'rw')).toBe(
      `ERR_LOCKED this process, ${process.pid}, has the image open for writing`,
    );
    // Another process is seen although this one has locks of its own.
    await writer.close();
    const far = await other(path, 'r', true);
    await using _near = await here(path, 'r');
    expect(await thread(path, 'rw')).toContain(`process ${far.child.pid}`);
    await far.end();
  });

  test('a process without the host in one of its drivers sees the others, and not itself', async () => {
    const path = image();
    const reader = await here(path, 'r');
    const plain = new FileDisk(path, { writable: true });
    await plain.init();
    await plain.close();
    const far = await other(path, 'r', true);
    await expect(new FileDisk(path, { writable: true }).init()).rejects.toThrow(`process ${far.child.pid}`);
    await far.end();
    await reader.close();
  });

  test.runIf(process.getuid?.() === 0)('a loop device is locked as well', async ({ skip }) => {
    let device: string;
    try {
      device = execFileSync('losetup', ['--find', '--show', image()], { encoding: 'utf8' }).trim();
    } catch {
      skip('no loop device can be made here');
      return;
    }
    try {
      const writer = await other(device, 'rw', true);
      expect(writer.answer).toBe('open');
      const late = await other(device, 'r', true);
      expect(late.answer).toContain(`process ${writer.child.pid}`);
      await late.end();
      await writer.end();
    } finally {
      execFileSync('losetup', ['--detach', device]);
    }
  });
});
