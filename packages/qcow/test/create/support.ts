import { open, rename } from 'node:fs/promises';
import { FileDisk } from '@diskstack/core/node';
import { nodePrimitives } from '@diskstack/crypto/node';
import { type CreateQcowOptions, createQcow } from '../../src/index.ts';
import { qemuImg, secretObject } from '../support/qemu.ts';

export const PASSPHRASE = 'a passphrase of the tests';

/** Makes an empty file and an image in it. */
export async function createFile(path: string, options: CreateQcowOptions): Promise<void> {
  await using disk = await emptyFile(path);
  await createQcow(disk, { crypto: nodePrimitives, ...options });
}

/** A new, empty file, open for writing. */
async function emptyFile(path: string): Promise<FileDisk> {
  await (await open(path, 'w')).close();
  const disk = new FileDisk(path, { writable: true });
  await disk.init();
  return disk;
}

/** One case of the matrix: our options, and the same options for `qemu-img create -o`. */
export interface CreateCase {
  readonly name: string;
  readonly ours: CreateQcowOptions;
  readonly theirs: string;
  readonly flags?: readonly string[];
}

/** qemu-img's image with the same options, at the same path as ours: names in it are relative. */
export async function createWithQemu(path: string, { ours, theirs, flags = [] }: CreateCase): Promise<void> {
  const options = theirs === '' ? [] : ['-o', theirs];
  const secret = theirs.includes('key-secret') ? secretObject(PASSPHRASE) : [];
  await qemuImg('create', '-q', '-f', 'qcow2', ...secret, ...options, ...flags, path, String(ours.size));
}

/** What `qemu-img info` reports about an image, without what differs between files. */
export async function infoWithQemu(path: string): Promise<unknown> {
  const told = JSON.parse(await qemuImg('info', '-U', '--output', 'json', path)) as Record<string, unknown>;
  const { 'actual-size': _size, filename: _name, ...rest } = told;
  return JSON.parse(
    JSON.stringify(rest, (key, value: unknown) =>
      key === 'uuid' || key === 'iters' || key === 'master-key-iters' ? typeof value : value,
    ),
  );
}

export async function moveAway(path: string): Promise<string> {
  const away = `${path}.ours`;
  await rename(path, away);
  return away;
}
