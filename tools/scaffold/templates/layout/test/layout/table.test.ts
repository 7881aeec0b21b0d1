import { expect, test } from 'vitest';
import { ENTRY, MAGIC, TABLE } from '../../src/layout/table.ts';

test('a table and its entry decode to their fields', () => {
  const table = Uint8Array.of(...MAGIC, 0x01, 0x00, 0x00, 0x00);
  expect(TABLE.decode(table)).toEqual({ magic: Uint8Array.from(MAGIC), entryCount: 1 });
  const entry = Uint8Array.of(0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0);
  expect(ENTRY.decode(entry)).toEqual({ start: 4096, size: 128 * 1024 });
});
