import fc from 'fast-check';
import { expect } from 'vitest';
import type { DiskModule } from '../contracts/disk-module.ts';
import { NOT_BYTES } from './conformance-read.ts';
import { type Check, expectBytes, expectCode, type Subject } from './conformance-subject.ts';
import { pattern } from './pattern-disk.ts';

/** Behaviours of `write` on a writable disk. */
export type WriteBehaviour =
  | 'write'
  | 'writeRandomly'
  | 'writeConcurrently'
  | 'writePastEnd'
  | 'writeNothing'
  | 'writeBadArguments'
  | 'writeAborted';

/** Salt of the pattern that the checks write. */
const WRITTEN = 1977;

export const WRITE_CHECKS: Readonly<Record<WriteBehaviour, Check>> = {
  write: {
    title: 'writes at odd offsets, reads the bytes back, and changes no other bytes',
    async run(subject) {
      const { size } = subject;
      const writer = new ModelledWriter(await subject.ready(), subject);
      for (const offset of [0, 1, 509, 4095, 65_533, Math.floor(size / 2), size - 1]) {
        for (const length of [1, 5, 700, 9001]) {
          if (offset >= 0 && offset + length <= size) await writer.write(offset, length);
        }
      }
      await writer.expectAll();
    },
  },
  writeRandomly: {
    title: 'a disk after random writes equals a byte array after the same writes',
    async run(subject) {
      const { size } = subject;
      const writer = new ModelledWriter(await subject.ready(), subject);
      const range = fc.tuple(fc.integer({ min: 0, max: size }), fc.integer({ min: 0, max: 20_000 }));
      await fc.assert(
        fc.asyncProperty(range, async ([offset, length]) => {
          await writer.write(offset, Math.min(length, size - offset));
        }),
        { seed: 0x5eed, numRuns: 40, endOnFailure: true }, // no shrinking: the disk keeps the writes of earlier runs
      );
      await writer.expectAll();
    },
  },
  writeConcurrently: {
    title: 'concurrent writes to adjacent ranges are all kept',
    async run(subject) {
      const writer = new ModelledWriter(await subject.ready(), subject);
      const length = 100;
      const writes: Promise<void>[] = [];
      for (let offset = 30; writes.length < 50 && offset + length <= subject.size; offset += length) {
        writes.push(writer.put(offset, length));
      }
      await Promise.all(writes);
      await writer.expectAll();
    },
  },
  writePastEnd: {
    title: 'refuses a write past the end (ERR_OUT_OF_BOUNDS) and writes nothing',
    async run(subject) {
      const disk = await subject.ready();
      const { size } = subject;
      for (const [offset, length] of [
        [Math.max(0, size - 1), 2],
        [0, size + 1],
        [size, 1],
        [size + 1, 1],
        [size + 4096, 4096],
        [Number.MAX_SAFE_INTEGER, 1],
      ] as const) {
        const data = pattern(length, WRITTEN);
        await expectCode(() => disk.write(offset, data), 'ERR_OUT_OF_BOUNDS');
      }
      await subject.expectUnchanged(disk);
    },
  },
  writeNothing: {
    title: 'a write of 0 bytes returns 0 and changes nothing',
    async run(subject) {
      const disk = await subject.ready();
      for (const offset of [0, Math.floor(subject.size / 2), subject.size]) {
        expect(await disk.write(offset, new Uint8Array(0))).toBe(0);
      }
      await subject.expectUnchanged(disk);
    },
  },
  writeBadArguments: {
    title: 'refuses to write at negative, fractional and unsafe offsets (ERR_ARGUMENT)',
    async run(subject) {
      const disk = await subject.ready();
      for (const value of NOT_BYTES)
        await expectCode(() => disk.write(value, new Uint8Array(1)), 'ERR_ARGUMENT');
      await subject.expectUnchanged(disk);
    },
  },
  writeAborted: {
    title: 'refuses a write whose signal has aborted (ERR_ABORTED) and writes nothing',
    async run(subject) {
      const disk = await subject.ready();
      if (subject.size === 0) return;
      const data = pattern(Math.min(subject.size, 5000), WRITTEN);
      await expectCode(() => disk.write(0, data, { signal: AbortSignal.abort() }), 'ERR_ABORTED');
      await subject.expectUnchanged(disk);
    },
  },
};

/** The check of a read-only disk. */
export const READ_ONLY_CHECK: Check = {
  title: 'refuses every write (ERR_READ_ONLY) and writes nothing',
  async run(subject) {
    const disk = await subject.ready();
    for (const offset of [0, Math.floor(subject.size / 2), subject.size, subject.size + 4096]) {
      await expectCode(() => disk.write(offset, pattern(3, WRITTEN)), 'ERR_READ_ONLY');
    }
    await subject.expectUnchanged(disk);
  },
};

/** Writes to a disk and to a byte array, to compare the two. */
class ModelledWriter {
  readonly #disk: DiskModule;
  readonly #model: Uint8Array;

  constructor(disk: DiskModule, subject: Subject) {
    this.#disk = disk;
    this.#model = subject.expected.slice();
  }

  /** Writes without comparing: other writes may be in flight. */
  async put(offset: number, length: number): Promise<void> {
    const data = pattern(length, WRITTEN);
    this.#model.set(data, offset);
    expect(await this.#disk.write(offset, data)).toBe(length);
    data.fill(0xee); // the disk must not use the buffer after the write
  }

  /** Writes, then reads the range back with 10 bytes on either side. */
  async write(offset: number, length: number): Promise<void> {
    await this.put(offset, length);
    const from = Math.max(0, offset - 10);
    const back = await this.#disk.read(from, offset - from + length + 10);
    expectBytes(back, this.#model.subarray(from, offset + length + 10), from);
  }

  async expectAll(): Promise<void> {
    expectBytes(await this.#disk.read(0, this.#model.length), this.#model, 0);
  }
}
