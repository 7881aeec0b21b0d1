import { type BigIntStats, closeSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { deviceNumber } from '../identity/block-device.ts';

/** What the locks of QEMU allow. */
export interface QemuLocks {
  /** A writer has the image open. */
  readonly isWritten: boolean;
  /** A process relies on no other one writing, or resizing. */
  readonly refusesWriters: boolean;
  /** A process relies on no other one reading. */
  readonly refusesReaders: boolean;
}

// qemu `block/file-posix.c`: a lock on byte 100 + N says that permission N is used, one on 200 + N that it is not shared.
const USED = 100;
const NOT_SHARED = 200;
// qemu `include/block/block-common.h`, `BLK_PERM_…`
const CONSISTENT_READ = 0;
const WRITE = 1;
const RESIZE = 3;

const NONE: QemuLocks = { isWritten: false, refusesWriters: false, refusesReaders: false };
const MAX_BYTES = 16 * 1024 * 1024;
let buffer = new Uint8Array(16 * 1024);

/** What the programs that have locked bytes of a file allow: QEMU and its tools, and none of this process. */
export function qemuLocks(path: string, stats: BigIntStats): QemuLocks {
  const text = readLocks();
  // The number of the inode alone rules nearly everything out.
  const inode = `:${stats.ino} `;
  if (!text.includes(inode)) return NONE;
  return locksIn(text, stats.ino, (device) => isDeviceOf(path, stats, device));
}

/**
 * The locks in the text of `/proc/locks`. A line: `1: OFDLCK ADVISORY  READ  -1 fe:00:2147223 100 101`, with the device in
 * hexadecimal, the first byte and the last one or `EOF`; one that begins with `->` after its number waits for a lock.
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

/** Empty where the system has no such list. */
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

/** The device in the list is that of the file system; `stat` has another one on btrfs, where each subvolume has its own. */
function isDeviceOf(path: string, stats: BigIntStats, device: string): boolean {
  const [major = '', minor = ''] = device.split(':');
  const number = `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`;
  return number === deviceNumber(stats.dev) || number === mountOf(path);
}

/** The device of the mount that a path is on, as `/proc/self/mountinfo` has it: that of the longest mount point. */
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
