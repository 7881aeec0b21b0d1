import { expect, test } from 'vitest';
import { compressorOf, decompressorOf } from '../../src/codec/codec-of.ts';
import type { Codecs } from '../../src/contracts/codec.ts';
import { diskErrorOf } from '../../src/testing/index.ts';

const decompress = () => undefined;
const compress = () => undefined;
const codecs: Codecs = { deflate: { decompress, compress }, mine: { decompress } };

test('a codec is found by its name, one of the program as well', () => {
  expect(decompressorOf(codecs, 'deflate')).toBe(decompress);
  expect(decompressorOf(codecs, 'mine')).toBe(decompress);
  expect(compressorOf(codecs, 'deflate')).toBe(compress);
});

test.for(['xz', 'constructor', '__proto__', ''])('no codec %j', async (name) => {
  const missing = decompressorOf(codecs, name);
  const said = { code: 'ERR_UNSUPPORTED', reason: expect.stringContaining(`"${name}" is not registered`) };
  expect(await diskErrorOf(async () => missing(new Uint8Array(1), new Uint8Array(1)))).toMatchObject(said);
  expect(await diskErrorOf(async () => missing.ready?.())).toMatchObject(said);
  const error = await diskErrorOf(async () => compressorOf(codecs, name)(new Uint8Array(1), 1));
  expect(error).toMatchObject(said);
});

test('a codec that only decompresses', async () => {
  const error = await diskErrorOf(async () => compressorOf(codecs, 'mine').ready?.());
  expect(error).toMatchObject({
    code: 'ERR_UNSUPPORTED',
    reason: expect.stringContaining('has no compressor'),
  });
});
