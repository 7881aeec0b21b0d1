import { type DiskModule, MemoryDisk, type ReadIo } from '@diskstack/core';

/** A read-only storage of `size` bytes that holds `start`, and zeroes from there on: a sparse file of any length. */
export function sparseDisk(start: Uint8Array, size: number): DiskModule {
  const disk = new MemoryDisk(start, { writable: false });
  return {
    diskType: '',
    blockSize: 512,
    writable: false,
    init: () => disk.init(),
    size: () => size,
    async read(offset: number, length: number, io: ReadIo = {}) {
      const into = (io.into ?? new Uint8Array(length)).subarray(
        0,
        Math.max(0, Math.min(length, size - offset)),
      );
      const stored = await disk.read(offset, into.length, { into });
      into.fill(0, stored.length);
      return into;
    },
    write: (offset, data) => disk.write(offset, data),
    close: () => disk.close(),
    getBase() {
      return this;
    },
    [Symbol.asyncDispose]: () => disk.close(),
  };
}
