import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DiskModule } from '../../src/contracts/disk-module.ts';
import { defineDisk } from '../../src/disks/define-disk.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { diskErrorOf, faultDisk, pattern, patternDisk } from '../../src/testing/index.ts';
import { receiveDisk } from '../../src/transfer/receive-disk.ts';
import { diskStream, type SequentialSink, sendDisk } from '../../src/transfer/send-disk.ts';

const MiB = 1024 * 1024;

async function* chunksOf(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  const chunk = new Uint8Array(length);
  for (let at = 0; at < bytes.length; at += length) {
    const part = bytes.subarray(at, at + length);
    chunk.set(part);
    yield chunk.subarray(0, part.length); // the same memory again and again
  }
}

test('a stream of any chunks arrives in a disk that grows, and in one that is there', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 300_000 }),
      fc.integer({ min: 1, max: 70_000 }),
      fc.boolean(),
      async (size, chunk, isNew) => {
        const bytes = pattern(size);
        bytes.fill(0, Math.floor(size / 3), Math.floor(size / 2));
        bytes.fill(0, size - Math.floor(size / 8));
        const target = new MemoryDisk(isNew ? new Uint8Array(0) : new Uint8Array(400_000).fill(9));
        await target.init();
        const stream = chunksOf(bytes, chunk);
        expect(await receiveDisk(stream, target, { targetIsZero: isNew, minZeroes: 512 })).toBe(size);
        expect(Buffer.compare(target.bytes, bytes)).toBe(0);
      },
    ),
    { numRuns: 60 },
  ));

test('a stream longer than a disk that cannot grow is refused', async () => {
  const fixed = patternDisk(1000);
  await fixed.init();
  const error = await diskErrorOf(() => receiveDisk(chunksOf(pattern(1001), 100), fixed));
  expect(error.code).toBe('ERR_OUT_OF_BOUNDS');
});

test('a stream that fails ends the work with its error', async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield pattern(10);
    throw new Error('the producer failed');
  }
  const target = new MemoryDisk(new Uint8Array(0));
  await target.init();
  await expect(receiveDisk(failing(), target)).rejects.toThrow('the producer failed');
});

test('a disk is sent in order, zeroes too', async () => {
  const bytes = pattern(5 * MiB + 77);
  bytes.fill(0, MiB, 3 * MiB);
  const disk = faultDisk(new MemoryDisk(bytes), { delayMs: (call) => call % 3 });
  await disk.init();
  const sent: Uint8Array[] = [];
  await sendDisk(disk, {
    async write(piece) {
      sent.push(piece.slice());
      await new Promise((resolve) => setTimeout(resolve, sent.length % 2));
      expect(Buffer.compare(piece, sent.at(-1) ?? piece)).toBe(0); // nothing is read over it meanwhile
    },
  });
  expect(Buffer.compare(Buffer.concat(sent), bytes)).toBe(0);
  expect(disk.mostInFlight).toBeLessThanOrEqual(2);
});

test('an empty disk sends nothing', async () => {
  const disk = new MemoryDisk(new Uint8Array(0));
  await disk.init();
  await sendDisk(disk, {
    async write() {
      throw new Error('called');
    },
  });
});

test.each(['the sink', 'a read', 'the signal'])('%s ends it, with nothing under way', async (what) => {
  const disk = faultDisk(patternDisk(8 * MiB), { delayMs: 3, ...(what === 'a read' && { failAt: 3 }) });
  await disk.init();
  const controller = new AbortController();
  let count = 0;
  const sending = sendDisk(
    disk,
    {
      async write() {
        if (++count < 2) return;
        if (what === 'the sink') throw new Error('closed');
        if (what === 'the signal') controller.abort();
      },
    },
    { signal: controller.signal },
  );
  await expect(sending).rejects.toThrow();
  expect(disk.inFlight).toBe(0);
  expect(count).toBeLessThanOrEqual(3);
});

/** A disk that says where its zeroes are, and must not be asked for them. */
function sparse(bytes: Uint8Array, zero: readonly [from: number, to: number]): DiskModule {
  return defineDisk({
    size: () => bytes.length,
    readInto(offset, into) {
      if (offset < zero[1] && offset + into.length > zero[0]) throw new Error('zeroes were read');
      into.set(bytes.subarray(offset, offset + into.length));
      return undefined;
    },
    async *extents() {
      const parts = [0, zero[0], zero[1], bytes.length];
      for (const [index, offset] of parts.slice(0, 3).entries()) {
        const length = (parts[index + 1] ?? 0) - offset;
        yield { offset, length, kind: index === 1 ? 'zero' : 'data', depth: 0, present: true } as const;
      }
    },
  });
}

test('a sink with `zeroes` gets them as a length, and its `end` is called', async () => {
  const bytes = pattern(6 * MiB);
  bytes.fill(0, MiB, 5 * MiB + 3);
  const disk = sparse(bytes, [MiB, 5 * MiB + 3]);
  await disk.init();
  const events: (string | number)[] = [];
  const sink: SequentialSink = {
    write: async (piece) => void events.push(piece.length),
    zeroes: async (length) => void events.push(`zeroes ${length}`),
    end: async () => void events.push('end'),
  };
  await sendDisk(disk, sink);
  expect(events).toEqual([MiB, `zeroes ${4 * MiB + 3}`, MiB - 3, 'end']);
});

test('a stream of the platform has every byte, and reads no further when it is cancelled', async () => {
  const bytes = pattern(6 * MiB);
  bytes.fill(0, MiB, 5 * MiB + 3);
  const disk = sparse(bytes, [MiB, 5 * MiB + 3]);
  await disk.init();
  const parts: Uint8Array[] = [];
  for await (const part of diskStream(disk)) parts.push(part);
  expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0);
  const slow = faultDisk(patternDisk(64 * MiB), { delayMs: 1 });
  await slow.init();
  const reader = diskStream(slow).getReader();
  await reader.read();
  await reader.cancel();
  expect(slow.reads).toBeLessThan(5);
  expect(slow.inFlight).toBe(0);
});
