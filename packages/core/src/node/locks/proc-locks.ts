import { type BigIntStats, closeSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { deviceNumber } from '../identity/block-device.ts';

/** What the locks of QEMU on an image mean. */
export interface QemuLocks {
  /** A QEMU process has the image open for writing. */
  readonly isWritten: boolean;
  /** A QEMU process requires that no other process writes or resizes the image. */
  readonly refusesWriters: boolean;
  /** A QEMU process requires that no other process reads the image. */
  readonly refusesReaders: boolean;
}

// qemu `block/file-posix.c`: a lock on byte 100 + N means that permission N is used, one on 200 + N that it is not shared.
const USED = 100;
const NOT_SHARED = 200;
// qemu `include/block/block-common.h`, `BLK_PERM_…`
const CONSISTENT_READ = 0;
const WRITE = 1;
const RESIZE = 3;

const NONE: QemuLocks = { isWritten: false, refusesWriters: false, refusesReaders: false };
const MAX_BYTES = 16 * 1024 * 1024;
let buffer = new Uint8Array(16 * 1024);

/** Finds the locks of QEMU and its tools on a file. Ignores locks of this process. */
export function qemuLocks(path: string, stats: BigIntStats): QemuLocks {
  const text = readLocks();
  // A quick test: the inode number is rarely in the list.
  const inode = `:${stats.ino} `;
  if (!text.includes(inode)) return NONE;
  return locksIn(text, stats.ino, (device) => isDeviceOf(path, stats, device));
}

/**
 * Finds the locks in the text of `/proc/locks`. A line is `1: OFDLCK ADVISORY  READ  -1 fe:00:2147223 100 101`: the device in
 * hexadecimal, the first locked byte, and the last one or `EOF`. A line with `->` after its number waits for a lock.
 */
export function locksIn(text: string, inode: bigint, isDevice: (device: string) => boolean): QemuLocks {
  const found = new Set<number>();
  for (const line of text.split('\n')) {
    if (!line.includes(`:${inode} `)) continue;
    const [, kind, , , pid, place = '', first, last] = line.trim().split(/ +/);
    if ((kind !== 'OFDLCK' && kind !== 'POSIX') || Number(pid) === process.pid) continue;
    const device = place.slice(0, place.lastIndexOf(':'));
    if (!isDevice(device)) continue;
    const end = last === 'EOF' ? Number.POSITIVE_INFINITY : Number(last);
    for (const permission of [CONSISTENT_READ, WRITE, RESIZE]) {
      for (const byte of [USED + permission, NOT_SHARED + permission])
        if (Number(first) <= byte && byte <= end) found.add(byte);
    }
  }
  return {
    isWritten: found.has(USED + WRITE),
    refusesWriters: found.has(NOT_SHARED + WRITE) || found.has(NOT_SHARED + RESIZE),
    refusesReaders: found.has(NOT_SHARED + CONSISTENT_READ),
  };
}

/** Reads `/proc/locks`. `''` if the system has no such file. */
function readLocks(): string {
  let fd: number;
  try {
    fd = openSync('/proc/locks', 'r');
  } catch {
    return '';
  }
  try {
    let length = 0;
    for (;;) {
      const got = readSync(fd, buffer, length, buffer.length - length, null);
      length += got;
      if (got === 0 || length >= MAX_BYTES) break;
      if (length < buffer.length) continue;
      const larger = new Uint8Array(buffer.length * 2);
      larger.set(buffer);
      buffer = larger;
    }
    return Buffer.from(buffer.buffer, 0, length).toString('latin1');
  } catch {
    return '';
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether the device in the list is the one of the file. The list has the device of the file system. `stat` reports another one
 * on btrfs, where each subvolume has its own.
 */
function isDeviceOf(path: string, stats: BigIntStats, device: string): boolean {
  const [major = '', minor = ''] = device.split(':');
  const number = `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`;
  return number === deviceNumber(stats.dev) || number === mountOf(path);
}

/** The device of the file system that a path is on, from `/proc/self/mountinfo`: that of the longest mount point above it. */
function mountOf(path: string): string | undefined {
  try {
    const real = realpathSync.native(path);
    let longest = -1;
    let device: string | undefined;
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      const [, , number, , point = ''] = line.split(' ');
      const folder = point.replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      );
      const isAbove = real === folder || real.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
      if (point === '' || !isAbove || folder.length < longest) continue;
      longest = folder.length;
      device = number;
    }
    return device;
  } catch {
    return undefined;
  }
}
