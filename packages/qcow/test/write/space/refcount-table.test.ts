import { expect, test } from 'vitest';
import { RefcountTable } from '../../../src/write/space/refcount-table.ts';

/** A table of 4 entries at byte 0x10000, of which entry 0 names a block. */
function tableOf(): RefcountTable {
  const view = new DataView(new ArrayBuffer(32));
  view.setBigUint64(0, 0x20000n);
  return new RefcountTable({ view, at: 0x10000 });
}

test('names blocks, and hands out the entries that changed, once', () => {
  const table = tableOf();
  expect([0, 1, 4].map((index) => table.blockOffset(index))).toEqual([0x20000, 0, 0]);
  expect(table.take()).toBe(undefined);
  table.nameBlock(2, 0x1_0000_0000);
  table.nameBlock(1, 0x30000);
  const part = table.take();
  expect(part).toMatchObject({ from: 1, to: 3, at: 0x10000, placedBytes: 32, isMoved: false });
  expect(Buffer.from(part?.bytes ?? []).toString('hex')).toBe('00000000000300000000000100000000');
  expect(table.take()).toBe(undefined);
});

test('what could not be written is handed out again, with what changed since', () => {
  const table = tableOf();
  table.nameBlock(1, 0x30000);
  const part = table.take();
  table.nameBlock(3, 0x40000);
  if (part !== undefined) table.putBack(part);
  expect(table.take()).toMatchObject({ from: 1, to: 4 });
});

test('is moved until the header names its place', () => {
  const table = tableOf();
  table.moveTo(0x50000);
  expect(table.take()).toMatchObject({ from: 0, to: 4, at: 0x50000, isMoved: true });
  table.headerNames(0x10000);
  table.nameBlock(1, 0x30000);
  expect(table.take()?.isMoved).toBe(true);
  table.headerNames(0x50000);
  table.nameBlock(1, 0);
  expect(table.take()?.isMoved).toBe(false);
});

test('a longer table needs a place before it is written; a shorter one keeps entries in use', () => {
  const table = tableOf();
  table.resize(8);
  expect([table.entries, table.placedBytes]).toEqual([8, 32]);
  table.nameBlock(7, 0x60000);
  expect(() => table.take()).toThrow(expect.objectContaining({ code: 'ERR_NO_SPACE' }));
  table.resize(4);
  expect(table.entries).toBe(8);
  table.nameBlock(7, 0);
  table.resize(4);
  expect([table.entries, table.blockOffset(0)]).toEqual([4, 0x20000]);
});

test('reset and stored drop what changed', () => {
  const table = tableOf();
  table.moveTo(0x50000);
  table.stored();
  expect(table.take()).toBe(undefined);
  table.nameBlock(1, 0x30000);
  table.reset({ view: new DataView(new ArrayBuffer(16)), at: 0x70000 });
  expect(table).toMatchObject({ at: 0x70000, entries: 2, placedBytes: 16 });
  expect([table.take(), table.bytes()]).toEqual([undefined, new Uint8Array(16)]);
});
