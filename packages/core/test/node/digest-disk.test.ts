import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { digestDisk } from '../../src/node/index.ts';
import { diskErrorOf, faultDisk, pattern } from '../../src/testing/index.ts';

async function disk(bytes: Uint8Array, faults = {}) {
  const made = faultDisk(new MemoryDisk(bytes), faults);
  await made.init();
  return made;
}

test.for([0, 1, 1024 * 1024, 5 * 1024 * 1024 + 17])('%d bytes', async (size) => {
  const bytes = pattern(size);
  // Pieces arrive out of their order, and are digested in it.
  const delayed = await disk(bytes, { delayMs: (call: number) => (call % 2 === 1 ? 8 : 0) });
  expect(await digestDisk(delayed)).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(await digestDisk(delayed, 'md5')).toBe(createHash('md5').update(bytes).digest('hex'));
});

test('a failing read is its failure', async () => {
  const failing = await disk(pattern(5 * 1024 * 1024), { failAt: 3, error: new Error('bad sector') });
  await expect(digestDisk(failing)).rejects.toThrow('bad sector');
});

test('an unknown digest is refused by its name', async () => {
  const error = await diskErrorOf(async () => digestDisk(await disk(pattern(1)), 'sha257'));
  expect(error).toMatchObject({ code: 'ERR_ARGUMENT', message: expect.stringContaining('sha257') });
});
