import { expect, test } from 'vitest';
import { theName } from '../src/index.ts';

test('the probe recognises the magic number, and nothing shorter', () => {
  const head = Uint8Array.of(0x74, 0x68, 0x65, 0x2d, 0x6e, 0x61, 0x6d, 0x65);
  const window = { head, tail: head, size: head.length };
  expect(theName.probe(window)).toBe('magic');
  expect(theName.probe({ ...window, head: head.subarray(0, 7) })).toBeUndefined();
});
