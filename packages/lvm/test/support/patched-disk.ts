import type { Able, DiskModule, Io, ReadIo } from '@diskstack/core';
import { readFully } from '@diskstack/core/format';

/** Another disk with some bytes changed. Read-only; closing it leaves the other disk open. */
export class PatchedDisk implements DiskModule, Able<'readInto'> {
  readonly diskType = '';
  readonly blockSize = 512;
  readonly writable = false;
  /** Bytes read so far. */
  bytesRead = 0;
  readonly #disk: DiskModule;
  readonly #patches = new Map<number, Uint8Array>();

  constructor(disk: DiskModule) {
    this.#disk = disk;
  }

  patch(at: number, bytes: Uint8Array): void {
    this.#patches.set(at, bytes);
  }

  async init(): Promise<void> {}

  size(): number {
    return this.#disk.size();
  }

  async read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    const into = new Uint8Array(Math.max(0, Math.min(length, this.size() - offset)));
    await this.readInto(offset, into, io);
    return into;
  }

  async readInto(offset: number, into: Uint8Array, io?: Io): Promise<void> {
    await readFully(this.#disk, offset, into, io);
    this.bytesRead += into.length;
    for (const [at, bytes] of this.#patches) {
      const from = Math.max(at, offset);
      const to = Math.min(at + bytes.length, offset + into.length);
      if (from < to) into.set(bytes.subarray(from - at, to - at), from - offset);
    }
  }

  write(): Promise<number> {
    throw new Error('a patched disk takes no writes');
  }

  async close(): Promise<void> {}

  getBase(): DiskModule {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
