import { can, DiskError, type DiskModule, type Io } from '@diskstack/core';
import { writeFully } from '@diskstack/core/format';

/** A disk that is filled from the beginning. */
export interface NewFile {
  /** The disk was emptied, so that it reads as zeroes. */
  readonly isZero: boolean;
  write(at: number, bytes: Uint8Array): Promise<void>;
  /** Makes bytes read as zeroes. Writes nothing when the disk was emptied. */
  zero(at: number, length: number): Promise<void>;
  flush(): Promise<void>;
}

const ZEROES_AT_ONCE = 1024 * 1024;

/**
 * Empties the disk and makes it `size` bytes long. A disk of a fixed size must be long enough, and keeps its content.
 */
export async function beginFile(disk: DiskModule, size: number, io: Io): Promise<NewFile> {
  const resizes = can(disk, 'resize');
  if (resizes) {
    await disk.resize(0, { ...io, shrink: true });
    await disk.resize(size, io);
  } else if (disk.size() < size) {
    throw new DiskError('ERR_NO_SPACE', `the image needs ${size} bytes, the disk has ${disk.size()}`);
  }
  const write = async (at: number, bytes: Uint8Array): Promise<void> => {
    await writeFully(disk, at, bytes, io);
  };
  return {
    isZero: resizes,
    write,
    async zero(at, length) {
      if (resizes) return;
      const zeroes = new Uint8Array(Math.min(length, ZEROES_AT_ONCE));
      for (let done = 0; done < length; done += zeroes.length)
        await write(at + done, zeroes.subarray(0, length - done));
    },
    async flush() {
      if (can(disk, 'flush')) await disk.flush(io);
    },
  };
}
