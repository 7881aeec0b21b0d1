import { BlobDisk, createDisks, type DiskModule } from '@diskstack/core';
import { describeDiskModule, diskErrorOf } from '@diskstack/core/testing';
import { deflateRaw } from 'pako';
import { expect, test } from 'vitest';
import { qcow2 } from '../src/index.ts';
import { noise } from './support/content.ts';
import { stacked } from './support/context.ts';
import { compressed, FIRST_FREE, qcow2Image } from './support/image-builder.ts';
import { FORMATS, infoOf } from './support/open.ts';
import { type Compress, type Sample, sample, sampleExtended, sampleV1 } from './support/sampler.ts';

// The read path in a browser: images in Blobs, decompressed by pako and zstddec.

const compress: Compress = (bytes) => deflateRaw(bytes, { windowBits: 12 });
const blob = (bytes: Uint8Array<ArrayBuffer>): Blob => new Blob([bytes]);
const disks = createDisks({ formats: FORMATS });

const SAMPLES: readonly (readonly [string, Sample])[] = [
  ['QCOW version 1, compressed', sampleV1({ compress })],
  ['QCOW version 2, compressed', sample(2, { compress })],
  ['QCOW version 3, compressed', sample(3, { compress })],
  ['QCOW with extended L2 entries', sampleExtended()],
];

for (const [name, { image, expected }] of SAMPLES) {
  test(`${name}: a Blob is probed, opened and read`, async () => {
    await using disk = await disks.open(blob(image));
    expect(disk.diskType).toBe('QCOW');
    expect(await disk.read(0, expected.length)).toEqual(expected);
    expect(await disk.read(70_001, 9_999)).toEqual(expected.slice(70_001, 80_000));
  });
}

const conforming = sample(3, { compress });
describeDiskModule('QCOW version 3, compressed, in a Blob', {
  open: () => stacked(qcow2, new BlobDisk(blob(conforming.image))),
  expected: conforming.expected,
});

test('a File of the visitor is opened like a Blob', async () => {
  const { image, expected } = sample(3, { compress });
  await using disk = await disks.open(new File([image], 'disk.qcow2'));
  expect(await disk.read(100_001, 5000)).toEqual(expected.slice(100_001, 105_001));
});

test('an overlay finds its base in another Blob, through a gate of the page', async () => {
  const base = noise(100_001, 1);
  const middle = sample(2, { compress, base: ['base.img', base] });
  const top = sampleExtended({ base: ['middle.qcow2', middle.expected] });
  const files: Readonly<Record<string, Blob>> = {
    'base.img': blob(base),
    'middle.qcow2': blob(middle.image),
  };
  const page = createDisks({
    formats: FORMATS,
    gate: async ({ name = '' }) => {
      const file = files[name];
      return file && { disk: new BlobDisk(file), location: name, identity: name };
    },
  });
  await using disk: DiskModule = await page.open(blob(top.image));
  expect(await disk.read(0, top.expected.length)).toEqual(top.expected);
});

test('without a gate of its own a page opens nothing that an image names', async () => {
  const error = await diskErrorOf(() => disks.open(blob(qcow2Image({ backing: 'base.img' }))));
  expect(error.code).toBe('ERR_BACKING_DENIED');
});

test('a broken stream is corrupt, at the byte where it stands', async () => {
  const at = FIRST_FREE * 4096;
  const image = qcow2Image({ l2: { 0: compressed(at, 100) }, at: [[at, new Uint8Array(100).fill(0xff)]] });
  await using disk = await disks.open(blob(image));
  expect(await diskErrorOf(() => disk.read(0, 1))).toMatchObject({ code: 'ERR_CORRUPT', offset: at });
  expect(await disk.read(4096, 4)).toEqual(new Uint8Array(4));
});

/** What libzstd made of `zstdContent`, at level 19. */
const ZSTD_FRAME =
  'KLUv/WAADwUOAKatWRWwGYYDeGsINPqwUlLKlFKSUi+ZiwFbAE8AUACdn2496uBUlTIlpDBZRMRVxoaNN4Kmi1HhTmPh/5qURW6ubGyGovxOMbLOXdHU9OKoKPXhmeujXhqPCIqsI20Pjz8fazUABgsFAsPBQQDCwhAwECgMMQwkFBwE/86HPUJ1mVEc+rvSjBDnrojTNvohLSFdrhQRYz715zWZRtWwyq3Fi1FxJRGTMDjaMhTyoqQyooOm9tUxUVfTU2Nkx09sU6rcrYXYd0HqLHKpOaUgWsQelKIaSSP4kRFRVH9GkONydboalkypLHzUluE31VZl42+KeYb7qSZ18UW5z16CRBaXz0Y2J7c6GYtrjgZbKX5OpPvaLhNviKcGAQOBwtCWpZ/woiwf+opOifKlYK0bkUcWFbIYndplTu67eXdJUcQg6bdK1lF8LrKjMxlSOR85kVn+EY9M8OIKv5L4MmvGY4TEZUnjcUdaxSyAmKgRJAyU3z8DoK8GESQE/xO7AwKmqKTkXhiXNsVgtS7Bq1ZD+ebu63LuEtwvxCODYAJcwJm37AnaDEWe4fkQpVyWX7ptvHCDFHaEZsBCeqpTEFcgVQE=';

function zstdContent(): Uint8Array<ArrayBuffer> {
  let lines = '';
  for (let index = 0; lines.length < 4096; index++)
    lines += `line ${(index * index * 7919) % 65_521} of a small disk\n`;
  return new TextEncoder().encode(lines.slice(0, 4096));
}

test('a zstd cluster reads', async () => {
  const stored = Uint8Array.from(atob(ZSTD_FRAME), (char) => char.charCodeAt(0));
  const at = FIRST_FREE * 4096 + 7;
  const image = qcow2Image({
    header: { incompatibleFeatures: 8n, compressionType: 1 },
    l2: { 2: compressed(at, stored.length) },
    at: [[at, stored]],
  });
  await using disk = await disks.open(blob(image));
  expect(infoOf(disk).specific?.data['compression-type']).toBe('zstd');
  expect(await disk.read(8192, 4096)).toEqual(zstdContent());
});
