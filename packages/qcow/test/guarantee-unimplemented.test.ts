import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { qcow1Image, qcow2Image } from './support/image-builder.ts';
import { keyed } from './support/keys.ts';
import { openBytes } from './support/open.ts';

// Features that are not implemented are refused by name, and never read past.

type Refusal = readonly [what: string, image: Uint8Array, code: string, named: string];

const bits = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);
const others = (known: readonly number[]): readonly number[] =>
  [...bits(0, 40), 127, 128, 255, 256, 65_535, 2 ** 31, 2 ** 32 - 1].filter(
    (value) => !known.includes(value),
  );

const REFUSALS: readonly Refusal[] = [
  ...bits(5, 63).map(
    (bit): Refusal => [
      `incompatible feature bit ${bit}`,
      qcow2Image({ header: { incompatibleFeatures: 1n << BigInt(bit) } }),
      'ERR_UNSUPPORTED',
      `bit ${bit}`,
    ],
  ),
  ...others([1, 2, 3]).map(
    (version): Refusal => [
      `version ${version}`,
      qcow2Image({ header: { version } }),
      'ERR_UNSUPPORTED',
      `version ${version}`,
    ],
  ),
  ...others([0, 1, 2]).map(
    (cryptMethod): Refusal => [
      `crypt_method ${cryptMethod}`,
      qcow2Image({ header: { cryptMethod } }),
      'ERR_UNSUPPORTED',
      `crypt_method ${cryptMethod}`,
    ],
  ),
  ...others([0, 1]).map(
    (cryptMethod): Refusal => [
      `crypt_method ${cryptMethod} of version 1`,
      qcow1Image({ header: { cryptMethod } }),
      'ERR_CORRUPT',
      `crypt_method is ${cryptMethod}`,
    ],
  ),
  ...bits(2, 255).map(
    (compressionType): Refusal => [
      `compression_type ${compressionType}`,
      qcow2Image({ header: { compressionType, incompatibleFeatures: 8n } }),
      'ERR_UNSUPPORTED',
      `compression_type ${compressionType}`,
    ],
  ),
  ...others(bits(0, 6)).map(
    (refcountOrder): Refusal => [
      `refcount_order ${refcountOrder}`,
      qcow2Image({ header: { refcountOrder } }),
      'ERR_CORRUPT',
      `refcount_order is ${refcountOrder}`,
    ],
  ),
  ...others(bits(9, 21)).map(
    (clusterBits): Refusal => [
      `cluster_bits ${clusterBits}`,
      qcow2Image({ header: { clusterBits } }),
      'ERR_CORRUPT',
      `cluster_bits is ${clusterBits}`,
    ],
  ),
  ...bits(9, 13).map(
    (clusterBits): Refusal => [
      `extended L2 entries with cluster_bits ${clusterBits}`,
      qcow2Image({ clusterBits, header: { incompatibleFeatures: 16n } }),
      'ERR_CORRUPT',
      'extended L2',
    ],
  ),
];

describe.each([
  ['to be read', { services: keyed('any') }],
  ['for its metadata alone', { metadataOnly: true }],
  ['by the name of its format', { format: 'qcow2', services: keyed('any') }],
] as const)('an image opened %s', (_, options) => {
  test.each(REFUSALS.filter(([what]) => !('format' in options) || !what.includes('version 1')))(
    'is refused for %s, by name',
    async (_what, image, code, named) => {
      const error = await diskErrorOf(() => openBytes(image, options));
      expect(error.code).toBe(code);
      expect(error.reason).toContain(named);
    },
  );
});

test('what is implemented opens: the table refuses no more than it has to', async () => {
  for (const version of [2, 3] as const) await (await openBytes(qcow2Image({ version }))).close();
  for (const refcountOrder of bits(0, 6))
    await (await openBytes(qcow2Image({ header: { refcountOrder } }))).close();
  for (const clusterBits of bits(9, 21)) await (await openBytes(qcow2Image({ clusterBits }))).close();
  const zstd = { compressionType: 1, incompatibleFeatures: 8n };
  await (await openBytes(qcow2Image({ header: zstd }))).close();
  await (await openBytes(qcow2Image({ header: { cryptMethod: 1 } }), { services: keyed('any') })).close();
});
