import { constants, createInflateRaw, deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { zlibStream } from '../../../src/node/zlib/zlib-stream.ts';

const sample = Uint8Array.from({ length: 500 }, (_, index) => index % 100);
const stored = deflateRawSync(sample);
const open = (create: () => object) => zlibStream(create, constants.Z_SYNC_FLUSH, stored, sample);

test('a stream serves again after an error', () => {
  const stream = open(createInflateRaw) ?? expect.fail('this Node has no such stream');
  const into = new Uint8Array(500);
  expect(() => stream.run(Uint8Array.of(7, 255, 255, 255), into)).toThrow('invalid block type');
  expect(stream.run(stored, into)).toBe(500);
  expect(into).toEqual(sample);
  expect(stream.hasMore()).toBe(false);
  expect(stream.run(stored, into.subarray(0, 10))).toBe(10);
  expect(stream.hasMore()).toBe(true);
});

test.for<[string, object]>([
  ['no handle', {}],
  ['a closed handle', { _handle: null, _writeState: new Uint32Array(2) }],
  ['a handle with other methods', { _handle: { write() {} }, _writeState: new Uint32Array(2) }],
  ['no state', { _handle: { writeSync() {}, reset() {} } }],
  [
    'a handle that does nothing',
    { _handle: { writeSync() {}, reset() {} }, _writeState: new Uint32Array(2) },
  ],
  [
    'a handle that throws',
    {
      _handle: {
        writeSync() {
          throw new TypeError('other arguments');
        },
        reset() {},
      },
      _writeState: new Uint32Array(2),
    },
  ],
])('a Node whose streams have %s has none for us', ([, stream]) => {
  expect(open(() => stream)).toBeUndefined();
});
