import { createDisks } from '@diskstack/core';
import { raw } from '@diskstack/raw';
import { expect, test } from 'vitest';
import { runExample } from '../../run-example.ts';
import { formats } from '../src/tiny-sparse.ts';

test('the format is recognised by its magic number and read', async () => {
  expect(await runExample('own-format')).toBe('TINY: 48 bytes, "sixteen bytes :)"\n');
});

test('a map that the file cannot hold is refused before it is allocated', async () => {
  const image = new Uint8Array(64);
  image.set(new TextEncoder().encode('TINYSPRS'));
  new DataView(image.buffer).setUint32(12, 0x10_0000, true);
  new DataView(image.buffer).setUint32(16, 1, true);

  const opening = createDisks({ formats: [raw, ...formats] }).open(image);

  await expect(opening).rejects.toMatchObject({ code: 'ERR_CORRUPT', offset: 20 });
});
