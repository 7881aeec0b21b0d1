import { expect, test } from 'vitest';
import { HEADER, MAGIC } from '../../src/layout/header.ts';

test('the header of an image of 1 MiB decodes to its fields', () => {
  const stored = Uint8Array.of(...MAGIC, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00);
  expect(HEADER.decode(stored)).toEqual({ magic: Uint8Array.from(MAGIC), size: 0x10_0000 });
});
