import { expect, test } from 'vitest';
import {
  describeDiskModule,
  explainPattern,
  firstDifference,
  pattern,
  patternDisk,
} from '../../src/testing/index.ts';

const TERABYTE = 2 ** 40;

describeDiskModule('a pattern disk', { open: () => patternDisk(200_003), expected: pattern(200_003) });
describeDiskModule('a salted pattern disk', { open: () => patternDisk(5000, 9), expected: pattern(5000, 9) });
describeDiskModule('an empty pattern disk', { open: () => patternDisk(0), expected: pattern(0) });

test('holds its own offset at every 8 bytes, big-endian', () => {
  expect([...pattern(20)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  expect([...pattern(8, 3)]).toEqual([0, 0x60, 0, 0, 0, 0, 0, 0]);
});

test('patterns of different salt differ in every word', () => {
  const [plain, salted] = [pattern(4096), pattern(4096, 2047)];
  for (let at = 0; at < 4096; at += 8) {
    expect(firstDifference(plain.subarray(at, at + 8), salted.subarray(at, at + 8))).toBeDefined();
  }
});

test('a disk of terabytes takes no memory', async () => {
  const disk = patternDisk(8 * TERABYTE, 1);
  await disk.init();
  const bytes = await disk.read(5 * TERABYTE - 3, 40);
  expect(explainPattern(bytes, 3)).toBe('the pattern of byte 0x50000000000 with salt 1');
  expect(await disk.read(8 * TERABYTE - 1, 10)).toHaveLength(1);
  await disk.close();
});

test.for([-1, 0.5, 2048])('salt %d is refused', (salt) => {
  expect(() => pattern(8, salt)).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
});

test('the first difference reports where the bytes came from', () => {
  const disk = pattern(10_000);
  expect(firstDifference(disk.slice(), disk)).toBeUndefined();
  expect(firstDifference(disk.subarray(4096, 4196), disk.subarray(16, 116), 16)).toBe(
    'byte 0x16 is 0x10, not 0x0: the pattern of byte 0x1006, expected the pattern of byte 0x16',
  );
  expect(firstDifference(pattern(100, 5), pattern(100))).toBe(
    'byte 0x1 is 0xa0, not 0x0: the pattern of byte 0x1 with salt 5, expected the pattern of byte 0x1',
  );
  expect(firstDifference(new Uint8Array(64), disk.subarray(64, 128), 64)).toContain(': zeroes, expected');
  expect(firstDifference(new Uint8Array(64).fill(0xab), disk.subarray(64, 128), 64)).toContain(
    'no pattern (ab ab ab ab ab ab ab ab)',
  );
  expect(firstDifference(disk.subarray(0, 99), disk.subarray(0, 100), 7)).toBe(
    '99 bytes from byte 0x7 on, expected 100',
  );
});

test('a pattern shifted by an odd number of bytes is still recognised', () => {
  expect(explainPattern(pattern(10_000).subarray(4099), 0)).toBe('no pattern (00 00 00 10 00 00 00 00)');
  expect(explainPattern(pattern(10_000).subarray(4099), 5)).toBe('the pattern of byte 0x1008');
});
