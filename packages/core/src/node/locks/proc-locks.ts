import {
  type BigIntStats,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
} from 'node:fs';
import { breathe } from '../../async/breathe.ts';
import { deviceNumber } from '../identity/block-device.ts';
import { bytesAgainst, bytesOf, READER, WRITER } from './image-use.ts';

/** The bytes that the protocol gives a meaning. */
const BYTES: ReadonlySet<number> = new Set(
  [WRITER, READER].flatMap((use) => [...bytesOf(use), ...bytesAgainst(use)]),
);

const MAX_BYTES = 16 * 1024 * 1024;
let buffer = new Uint8Array(16 * 1024);

/** A file whose locks are looked up. */
export interface LockedPath {
  readonly path: string;
  readonly stats: BigIntStats;
}

/** The bytes of the protocol on which others have a lock, by `/proc/locks`. Locks of this process do not count. */
export async function foreignLocks(file: LockedPath): Promise<ReadonlySet<number>> {
  const { ino } = file.stats;
  const text = readLocks();
  // A quick test: the inode number is rarely in the list.
  if (!text.includes(`:${ino} `)) return new Set();
  const isDevice = (device: string): boolean => isDeviceOf(file, device);
  const all = countLocks(text, ino, isDevice);
  // The list has no process for OFD locks, so those of this process are subtracted.
  const own = await ownLocks(file);
  return new Set([...all.keys()].filter((byte) => (all.get(byte) ?? 0) > (own.get(byte) ?? 0)));
}

/** How many descriptors of this process have a lock on each byte. `except`: a descriptor that is left out. */
export async function ownLocks(file: LockedPath, except?: number): Promise<ReadonlyMap<number, number>> {
  const text = await descriptorLocks('self', except);
  return countLocks(text, file.stats.ino, (device) => isDeviceOf(file, device));
}

/**
 * The process that has a lock on one of these bytes, for people: `process 812 (qemu-io)`. `undefined` if it cannot be seen from here:
 * it belongs to another user or runs in another container.
 */
export async function lockHolder(file: LockedPath, bytes: Iterable<number>): Promise<string | undefined> {
  for (const pid of numbersIn('/proc')) {
    if (Number(pid) === process.pid) continue;
    const isDevice = (device: string): boolean => isDeviceOf(file, device);
    const counts = countLocks(await descriptorLocks(pid), file.stats.ino, isDevice);
    for (const byte of bytes) if (counts.has(byte)) return `process ${pid}${programOf(pid)}`;
  }
  return undefined;
}

/**
 * Counts the locks on each byte of the protocol in lines of `/proc/locks`. A line is
 * `1: OFDLCK ADVISORY  READ  -1 fe:00:2147223 100 101`: the device in hexadecimal, the first locked byte, and the last one or `EOF`.
 * A line with `->` after its number waits for a lock. POSIX locks of this process are left out.
 */
export function countLocks(
  text: string,
  inode: bigint,
  isDevice: (device: string) => boolean,
): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const line of text.split('\n')) {
    if (!line.includes(`:${inode} `)) continue;
    const [, kind, , , pid, place = '', first, last] = line.trim().split(/ +/);
    if ((kind !== 'OFDLCK' && kind !== 'POSIX') || Number(pid) === process.pid) continue;
    if (!isDevice(place.slice(0, place.lastIndexOf(':')))) continue;
    const end = last === 'EOF' ? Number.POSITIVE_INFINITY : Number(last);
    for (const byte of BYTES)
      if (Number(first) <= byte && byte <= end) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  }
  return counts;
}

/** The locks of a process, in lines as in `/proc/locks`: from the description of each descriptor. Empty if none can be read. */
async function descriptorLocks(pid: string, except?: number): Promise<string> {
  const lines: string[] = [];
  for (const fd of numbersIn(`/proc/${pid}/fdinfo`)) {
    const pause = breathe(); // a server may have a hundred thousand
    if (pause !== undefined) await pause;
    if (Number(fd) === except) continue;
    try {
      const text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1');
      for (const line of text.split('\n')) if (line.startsWith('lock:')) lines.push(line.slice(5).trim());
    } catch {
      // it was closed in between
    }
  }
  return lines.join('\n');
}

function numbersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => /^[0-9]+$/.test(name));
  } catch {
    return [];
  }
}

/** The name of a program in brackets, or nothing. */
function programOf(pid: string): string {
  try {
    const [command = ''] = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    const name = command.slice(command.lastIndexOf('/') + 1).replace(/[^\w.-]/g, '');
    return name === '' ? '' : ` (${name})`;
  } catch {
    return '';
  }
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
function isDeviceOf({ path, stats }: LockedPath, device: string): boolean {
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
