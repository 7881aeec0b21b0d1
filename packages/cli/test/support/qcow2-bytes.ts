import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/** Puts bytes into a file that is there. */
export function patch(path: string, at: number, bytes: Uint8Array): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

/** A big-endian number of 64 bits, as all tables of qcow2 have them. */
export function readU64(path: string, at: number): bigint {
  const bytes = Buffer.alloc(8);
  const fd = openSync(path, 'r');
  readSync(fd, bytes, 0, 8, at);
  closeSync(fd);
  return bytes.readBigUInt64BE();
}

export function writeU64(path: string, at: number, value: bigint): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  patch(path, at, bytes);
}

const OFFSET = 0x00ff_ffff_ffff_fe00n;

/** Where the tables of a qcow2 image are: bytes of the file. */
export function tablesOf(path: string): { l1: number; l2: number; refcounts: number; refcountBlock: number } {
  const l1 = Number(readU64(path, 40));
  const refcounts = Number(readU64(path, 48));
  const l2 = Number(readU64(path, l1) & OFFSET);
  return { l1, l2, refcounts, refcountBlock: Number(readU64(path, refcounts) & OFFSET) };
}

/** The bytes of the backing file name, put in place of one that is as long. */
export function renameBacking(path: string, name: Uint8Array): void {
  const at = Number(readU64(path, 8));
  const length = Number(readU64(path, 16) >> 32n);
  if (name.length !== length) throw new Error(`a name of ${name.length} bytes in place of ${length}`);
  patch(path, at, name);
}
