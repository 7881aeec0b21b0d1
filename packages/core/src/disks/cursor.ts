import { checkBytes } from '../binary/safe-number.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';

/** A position in a disk, for code that reads and writes sequentially. */
export interface Cursor {
  /** Bytes from the start of the disk. May be past the end: reads there return no bytes. */
  position: number;
  /** Moves relative to the start, the current position or the end of the disk. Returns the new position in bytes. */
  seek(offset: number, from?: 'start' | 'current' | 'end'): number;
  /** Returns the next bytes: fewer at the end of the disk, none past it. */
  read(length: number, io?: Io): Promise<Uint8Array>;
  write(data: Uint8Array, io?: Io): Promise<number>;
}

/** A cursor at the start of a disk. It does not own the disk. Several cursors on one disk are independent of each other. */
export function cursor(disk: DiskModule): Cursor {
  let position = 0;
  const move = (to: number): number => {
    checkBytes(to, 'position');
    position = to;
    return to;
  };
  return {
    get position() {
      return position;
    },
    set position(to) {
      move(to);
    },
    seek(offset, from = 'start') {
      const origin = from === 'start' ? 0 : from === 'current' ? position : disk.size();
      return move(origin + offset);
    },
    async read(length, io) {
      const start = position;
      const bytes = await disk.read(start, length, io);
      position = start + bytes.length;
      return bytes;
    },
    async write(data, io) {
      const start = position;
      const written = await disk.write(start, data, io);
      position = start + written;
      return written;
    },
  };
}
