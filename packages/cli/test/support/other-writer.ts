import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openHost } from '@diskstack/host';
import { start } from './run-cli.ts';

/** Bytes of a fresh image. */
export const SIZE: number = 4 * 1024 * 1024;
let count = 0;

/** A folder of its own with one raw image in it. */
export function freshImage(folder: string): { readonly at: string; readonly image: string } {
  const at = join(folder, String(count++));
  mkdirSync(at);
  const image = join(at, 'disk.img');
  writeFileSync(image, new Uint8Array(SIZE));
  return { at, image };
}

/** The lock files in a folder. */
export function locksIn(at: string): string[] {
  return readdirSync(at).filter((name) => name.endsWith('.lock'));
}

export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(10);
}

const hasFfi = process.getBuiltinModule('node:ffi') !== undefined;
const { locks } = await openHost();
/** Options of Node that take the host away, node:ffi and koffi. Empty where there is none. */
export const WITHOUT_HOST: string =
  locks === undefined ? '' : hasFfi ? '--no-experimental-ffi --no-addons' : '--no-addons';
/** With and without the host, where this Node can have one. */
export const HOSTS: readonly (readonly [string, string])[] =
  WITHOUT_HOST === ''
    ? [['without the host', '']]
    : [
        ['with the host', ''],
        ['without the host', WITHOUT_HOST],
      ];

/** A run that has the image open for writing until its stdin ends. */
export async function writer(at: string, image: string, nodeOptions = ''): Promise<ChildProcess> {
  const child = start(['write', image, '0'], at, ['pipe', 'pipe', 'pipe'], { nodeOptions });
  await until(() => locksIn(at).length > 0 || hasLocks(image));
  return child;
}

/** Whether anybody has a lock on bytes of a file. */
export function hasLocks(file: string): boolean {
  return existsSync('/proc/locks') && readFileSync('/proc/locks', 'utf8').includes(`:${statSync(file).ino} `);
}
