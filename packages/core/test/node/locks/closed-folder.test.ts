import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder();
/** Root can write to every folder. If the tests run as root, the child processes run as `nobody`. */
const isRoot = process.getuid?.() === 0;
const USER = isRoot ? { uid: 65_534, gid: 65_534 } : {};
const module = new URL('../../../src/node/file/file-disk.ts', import.meta.url).pathname;

/** Opens an image for writing, says how that went, and waits for the end of its input. */
const SCRIPT = `
  const { FileDisk } = await import(${JSON.stringify(module)});
  const disk = new FileDisk(process.argv[1], { writable: process.argv[2] === 'rw' });
  process.stdout.write(await disk.init().then(() => 'open', (error) => error.code + ' ' + error.reason) + '\\n');
  await new Promise((resolve) => process.stdin.resume().once('end', resolve));
  await disk.close();`;

function opener(image: string, mode: 'r' | 'rw') {
  const args = [
    '--conditions=@diskstack/source',
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
  ];
  if (!process.features.typescript) args.push('--experimental-strip-types');
  const child = spawn(process.execPath, [...args, '-e', SCRIPT, image, mode], {
    ...USER,
    env: { PATH: process.env.PATH, XDG_RUNTIME_DIR: join(folder, 'run') },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answer = new Promise<string>((resolve) =>
    child.stdout.once('data', (data) => resolve(String(data).trim())),
  );
  const ended = new Promise<number | null>((resolve) => void child.once('close', resolve));
  return {
    answer,
    async end(): Promise<number | null> {
      child.stdin.end();
      return ended;
    },
  };
}

test('an image in a folder that is closed for writing is locked in a folder of the user', async () => {
  chmodSync(folder, 0o755);
  const closed = join(folder, 'closed');
  const image = join(closed, 'disk.img');
  const runtime = join(folder, 'run');
  mkdirSync(runtime, { mode: 0o700 });
  mkdirSync(closed);
  writeFileSync(image, new Uint8Array(4096));
  if (isRoot) for (const path of [image, runtime]) chownSync(path, 65_534, 65_534);
  chmodSync(closed, 0o555);
  try {
    const first = opener(image, 'rw');
    expect(await first.answer).toBe('open');
    expect(readdirSync(closed)).toEqual(['disk.img']);
    expect(readdirSync(join(runtime, 'diskstack'))).toHaveLength(1);
    for (const mode of ['r', 'rw'] as const) {
      const second = opener(image, mode);
      expect(await second.answer).toMatch(/^ERR_LOCKED process \d+ has the image open for writing/);
      await second.end();
    }
    expect(await first.end()).toBe(0);
    expect(readdirSync(join(runtime, 'diskstack'))).toEqual([]);
  } finally {
    chmodSync(closed, 0o755);
  }
});
