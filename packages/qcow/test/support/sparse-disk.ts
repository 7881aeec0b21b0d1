import { type DiskModule, MemoryDisk, type ReadIo } from '@diskstack/core';

type Read = (offset: number, length: number, io: ReadIo) => Promise<Uint8Array>;

/** A read-only storage of `size` bytes, all of which come through this one function. */
export function diskOfReads(size: number, read: Read): DiskModule {
  return {
    diskType: '',
    blockSize: 512,
    writable: false,
    init: async () => {},
    size: () => size,
    read: (offset, length, io = {}) => read(offset, Math.max(0, Math.min(length, size - offset)), io),
    write: async () => {
      throw new Error('the storage cannot be written');
    },
    close: async () => {},
    getBase() {
      return this;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A read-only storage of `size` bytes that holds `start`, and zeroes from there on: a sparse file of any length. */
export function sparseDisk(start: Uint8Array, size: number): DiskModule {
  const disk = new MemoryDisk(start, { writable: false });
  const ready = disk.init();
  return diskOfReads(size, async (offset, length, io) => {
    await ready;
    const into = (io.into ?? new Uint8Array(length)).subarray(0, length);
    const stored = await disk.read(offset, length, { into });
    return into.fill(0, stored.length);
  });
}
