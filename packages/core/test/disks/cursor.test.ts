import { expect, test } from 'vitest';
import { cursor } from '../../src/disks/cursor.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { faultDisk, pattern } from '../../src/testing/index.ts';

async function disk() {
  const memory = new MemoryDisk(pattern(1000));
  await memory.init();
  return memory;
}

test('reads one piece after the other, fewer bytes at the end, none past it', async () => {
  const at = cursor(await disk());
  expect(await at.read(300)).toEqual(pattern(1000).slice(0, 300));
  expect(at.position).toBe(300);
  expect(await at.read(600)).toEqual(pattern(1000).slice(300, 900));
  expect(await at.read(600)).toEqual(pattern(1000).slice(900));
  expect(at.position).toBe(1000);
  expect(await at.read(1)).toHaveLength(0);
  expect(at.position).toBe(1000);
});

test('seeks from the start, from where it is and from the end', async () => {
  const at = cursor(await disk());
  expect(at.seek(100)).toBe(100);
  expect(at.seek(20, 'current')).toBe(120);
  expect(at.seek(-8, 'end')).toBe(992);
  expect(await at.read(100)).toEqual(pattern(1000).slice(992));
  at.position = 5000;
  expect(await at.read(1)).toHaveLength(0);
});

test('a place before the start is refused, and the position stays', async () => {
  const at = cursor(await disk());
  at.position = 7;
  expect(() => at.seek(-8, 'current')).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
  expect(() => {
    at.position = 0.5;
  }).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
  expect(at.position).toBe(7);
});

test('writes move it; a failed read does not', async () => {
  const below = faultDisk(await disk(), { failAt: 1 });
  await below.init();
  const at = cursor(below);
  expect(await at.write(new Uint8Array([1, 2, 3]))).toBe(3);
  expect(at.position).toBe(3);
  await expect(at.read(10)).rejects.toMatchObject({ code: 'ERR_IO' });
  expect(at.position).toBe(3);
});

test('two cursors do not disturb each other', async () => {
  const shared = await disk();
  const [one, two] = [cursor(shared), cursor(shared)];
  await Promise.all([one.read(10), two.read(20)]);
  expect([one.position, two.position]).toEqual([10, 20]);
});
