import { closeSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { create, qemuIo } from './qemu.ts';

/** A file with bytes at some places and holes between them. */
export function sparseFile(
  path: string,
  size: number,
  parts: readonly (readonly [at: number, bytes: Uint8Array])[],
): void {
  writeFileSync(path, '');
  truncateSync(path, size);
  const fd = openSync(path, 'r+');
  for (const [at, bytes] of parts) writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

/** Bytes that count upwards, never 0: what is read shows where it came from. */
export function counting(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = ((index * 7 + (index >> 8) + seed) % 255) + 1;
  return bytes;
}

/**
 * A qcow2 image of 64 GiB that is full of data and takes next to nothing: every guest cluster is the same host cluster.
 * Copying it takes as long as anybody wants to interrupt it.
 */
export function endlessImage(folder: string, name: string): void {
  create(folder, name, 'qcow2', '64G');
  qemuIo(folder, name, 'qcow2', 'write -P 90 0 64k');
  const fd = openSync(join(folder, name), 'r+');
  const entry = Buffer.alloc(8);
  const entryAt = (at: number): Buffer => {
    readSync(fd, entry, 0, 8, at);
    return entry;
  };
  const l1Table = Number(entryAt(40).readBigUInt64BE()); // l1_table_offset of the header
  const l2Entry = Buffer.from(entryAt(l1Table));
  const l2Table = Number(l2Entry.readBigUInt64BE() & 0x00ff_ffff_ffff_fe00n);
  const dataEntry = Buffer.from(entryAt(l2Table));
  for (let index = 0; index < 8192; index++) writeSync(fd, dataEntry, 0, 8, l2Table + index * 8);
  for (let index = 0; index < 128; index++) writeSync(fd, l2Entry, 0, 8, l1Table + index * 8);
  closeSync(fd);
}

/** Makes the recorded backing format of a qcow2 image an extension that no reader knows, so that the format is not recorded. */
export function forgetBackingFormat(path: string): void {
  const fd = openSync(path, 'r+');
  const head = Buffer.alloc(4096);
  readSync(fd, head, 0, head.length, 0);
  const at = head.indexOf(Buffer.from([0xe2, 0x79, 0x2a, 0xca])); // "Backing file format name string"
  if (at < 0) throw new Error(`${path} records no backing format`);
  writeSync(fd, Buffer.from([0x12, 0x34, 0x56, 0x78]), 0, 4, at);
  closeSync(fd);
}
