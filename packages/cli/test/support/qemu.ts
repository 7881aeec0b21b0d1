import { spawnSync } from 'node:child_process';
import { describe } from 'vitest';

const missing = ['qemu-img', 'qemu-io'].filter((name) => spawnSync(name, ['--version']).error !== undefined);
const reason =
  missing.length > 0 ? `${missing.join(' and ')} cannot be started (Debian: qemu-utils)` : undefined;

if (reason !== undefined) console.warn(`WARNING: tests against qemu-img are skipped: ${reason}`);

/**
 * A `describe` for tests that need qemu-img, and perhaps something else that is lacking here. Then the title has the reason, and the
 * tests do not run.
 */
export function describeWithQemu(title: string, body: () => void, lack?: string): void {
  const why = reason ?? lack; // without qemu-utils there is nothing to compare with
  describe.runIf(why === undefined)(why === undefined ? title : `${title} [skipped: ${why}]`, body);
}

function run(cwd: string, program: string, args: readonly string[]): string {
  for (let left = 60; ; left--) {
    const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
    if (status === 0) return stdout;
    // qemu measures the key derivation of LUKS by the clock of a thread. It ticks so slowly that two of three tries may see no time pass.
    if (left > 0 && stderr.includes('Unable to get accurate CPU usage')) continue;
    throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}${stdout}`);
  }
}

export function qemuImg(cwd: string, ...args: string[]): string {
  return run(cwd, 'qemu-img', args);
}

/** The same, however it ends. */
export function tryQemuImg(
  cwd: string,
  ...args: string[]
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync('qemu-img', args, { cwd, encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** The key of all encrypted images of the tests. */
export const PASSPHRASE = 'a long secret that is not to be seen';
const SECRET = ['--object', `secret,id=key,data=${PASSPHRASE}`];

/** `qemu-img create` of an encrypted image; `options` are further ones of `-o`, `flags` of the command. */
export function createEncrypted(
  cwd: string,
  image: string,
  format: 'qcow' | 'qcow2',
  kind: 'aes' | 'luks',
  size: string,
  options = '',
  ...flags: string[]
): void {
  const speed = kind === 'luks' ? ',encrypt.iter-time=10' : '';
  const o = `encrypt.format=${kind},encrypt.key-secret=key${speed}${options}`;
  qemuImg(cwd, 'create', '-q', ...flags, '-f', format, ...SECRET, '-o', o, image, size);
}

/** The arguments that open an encrypted image. */
export function encryptedArgs(image: string, format: string): string[] {
  return [...SECRET, '--image-opts', `driver=${format},file.filename=${image},encrypt.key-secret=key`];
}

/** `qemuIo` on an encrypted image. */
export function encryptedIo(cwd: string, image: string, format: string, ...commands: string[]): void {
  run(cwd, 'qemu-io', [...commands.flatMap((command) => ['-c', command]), ...encryptedArgs(image, format)]);
}

/** `qemu-img create`, with what it says left out. `options` are those of `-o`. */
export function create(
  cwd: string,
  image: string,
  format: string,
  size: string | undefined,
  options: { readonly o?: string; readonly backing?: readonly [name: string, format: string] } = {},
): void {
  const { o, backing } = options;
  qemuImg(
    cwd,
    'create',
    '-q',
    ...['-f', format],
    ...(o === undefined ? [] : ['-o', o]),
    ...(backing === undefined ? [] : ['-u', '-b', backing[0], '-F', backing[1]]),
    image,
    ...(size === undefined ? [] : [size]),
  );
}

/** Commands of qemu-io on an image, in order: `'write -P 7 0 64k'`. */
export function qemuIo(cwd: string, image: string, format: string, ...commands: string[]): void {
  run(cwd, 'qemu-io', ['-f', format, ...commands.flatMap((command) => ['-c', command]), image]);
}
