import { expect, test } from 'vitest';
import { bits64, bytes, offset64, u8, u16, u32 } from '../../src/binary/fields.ts';
import { checkBytes, joinHalves, roundUp } from '../../src/binary/safe-number.ts';
import { struct } from '../../src/binary/struct.ts';
import { diskErrorOf } from '../../src/testing/index.ts';

const FIELDS = { tag: u8, count: u16, flags: u32, size: offset64, features: bits64, name: bytes(3) };
const BIG = struct('big', FIELDS);
const LITTLE = struct('little', FIELDS);
const ONE_OF_EACH = new Uint8Array([
  0x7f, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 0, 0x01, 0, 0, 0, 0, 0x10, 0, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
]);

test.for([
  ['tag', 0],
  ['count', 1],
  ['flags', 3],
  ['size', 7],
  ['features', 15],
  ['name', 23],
] as const)('field %s is at byte %d', ([name, at]) => {
  expect(BIG.at[name]).toBe(at);
});

test('the size is the sum of the fields', () => {
  expect(BIG.size).toBe(26);
  expect(struct('big', {}).size).toBe(0);
});

test('one byte order holds for all fields', () => {
  expect(BIG.decode(ONE_OF_EACH)).toEqual({
    tag: 0x7f,
    count: 0x1234,
    flags: 0x89ab_cdef,
    size: 0x0001_0000_0000_1000,
    features: 0xff01_0203_0405_0607n,
    name: new Uint8Array([8, 9, 10]),
  });
  expect(LITTLE.decode(ONE_OF_EACH.with(8, 0).with(13, 0))).toEqual({
    tag: 0x7f,
    count: 0x3412,
    flags: 0xefcd_ab89,
    size: 0,
    features: 0x0706_0504_0302_01ffn,
    name: new Uint8Array([8, 9, 10]),
  });
});

test('decodes a view in the middle of a buffer, ignores what follows, and copies bytes', () => {
  const buffer = new Uint8Array(64);
  buffer.set(ONE_OF_EACH, 5);
  const { count, name } = BIG.decode(buffer.subarray(5));
  buffer.fill(0);
  expect({ count, name }).toEqual({ count: 0x1234, name: new Uint8Array([8, 9, 10]) });
});

const OFFSETS = struct('big', { first: u32, where: offset64 });

test.for([
  [0x0000_0000, 0x0000_0000, 0],
  [0x0000_0000, 0xffff_ffff, 2 ** 32 - 1],
  [0x0000_0001, 0x0000_0000, 2 ** 32],
  [0x001f_ffff, 0xffff_ffff, Number.MAX_SAFE_INTEGER],
  [0x0020_0000, 0x0000_0000, undefined],
  [0x0020_0000, 0x0000_0001, undefined],
  [0xffff_ffff, 0xffff_ffff, undefined],
] as const)('halves %d and %d are %d', ([high, low, value]) => {
  expect(joinHalves(high, low)).toBe(value);
});

test.for(['big', 'little'] as const)(
  'an offset past 2^53 - 1 is refused by name and place, not rounded (%s)',
  async (byteOrder) => {
    const data = new Uint8Array(12);
    new DataView(data.buffer).setBigUint64(4, 2n ** 53n + 1n, byteOrder === 'little');
    const layout = struct(byteOrder, { first: u32, where: offset64 });
    const error = await diskErrorOf(() => layout.decode(data, 0x200));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', offset: 0x204 });
    expect(error.message).toBe(
      'where: 9007199254740993 is past 2^53 - 1, the largest offset (at byte 0x204)',
    );
  },
);

test.for([0, 1, 11])('a structure cut to %d bytes is refused, with its place', async (length) => {
  const error = await diskErrorOf(() => OFFSETS.decode(new Uint8Array(length), 0x200));
  expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: 0x200 });
  expect(error.reason).toBe(`a structure of 12 bytes has only ${length}`);
});

test.for([
  [0, 512, 0],
  [1, 512, 512],
  [512, 512, 512],
  [2 ** 40 + 1, 65_536, 2 ** 40 + 65_536],
] as const)('%d rounded up to %d is %d', ([value, unit, rounded]) => {
  expect(roundUp(value, unit)).toBe(rounded);
});

test('checkBytes names the wrong value', () => {
  expect(() => checkBytes(Number.MAX_SAFE_INTEGER, 'offset')).not.toThrow();
  expect(() => checkBytes(-1, 'offset')).toThrow(
    'offset has to be a whole number from 0 to 2^53 - 1, not -1',
  );
});

test.each([BIG, LITTLE])('encoded values decode to themselves', (layout) => {
  const values = layout.decode(ONE_OF_EACH.with(8, 0).with(13, 0));
  expect(layout.encode(values)).toEqual(ONE_OF_EACH.with(8, 0).with(13, 0));
  expect(BIG.encode(BIG.decode(ONE_OF_EACH))).toEqual(ONE_OF_EACH);
});

test('bytes that are shorter than their field are padded with zeroes', () => {
  const text = struct('big', { name: bytes(4), end: u8 });
  expect(text.encode({ name: new Uint8Array([1, 2]), end: 3 })).toEqual(new Uint8Array([1, 2, 0, 0, 3]));
});

test.for([
  ['tag', 256],
  ['tag', -1],
  ['count', 65_536],
  ['flags', 2 ** 32],
  ['flags', 0.5],
  ['size', 2 ** 53],
  ['size', -1],
  ['name', new Uint8Array(4)],
] as const)('a value that does not fit is refused by the name of its field: %s', async ([name, value]) => {
  const error = await diskErrorOf(() => BIG.encode({ ...BIG.decode(ONE_OF_EACH), [name]: value }));
  expect(error.code).toBe('ERR_ARGUMENT');
  expect(error.reason).toContain(name);
});
