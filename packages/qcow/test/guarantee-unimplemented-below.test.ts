import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { qcow2Image } from './support/image-builder.ts';
import { backingFormat } from './support/image-folder.ts';
import { memoryGate } from './support/memory-gate.ts';
import { openBytes } from './support/open.ts';

// The same below an overlay: a base with an unimplemented feature is refused by name, and never opened as raw.

type Header = NonNullable<NonNullable<Parameters<typeof qcow2Image>[0]>['header']>;
type Refusal = readonly [named: string, header: Header, code: string];

const REFUSALS: readonly Refusal[] = [
  ...Array.from(
    { length: 59 },
    (_, index): Refusal => [
      `bit ${index + 5}`,
      { incompatibleFeatures: 1n << BigInt(index + 5) },
      'ERR_UNSUPPORTED',
    ],
  ),
  ...[0, 4, 2 ** 32 - 1].map((version): Refusal => [`version ${version}`, { version }, 'ERR_UNSUPPORTED']),
  ...[3, 2 ** 32 - 1].map(
    (cryptMethod): Refusal => [`crypt_method ${cryptMethod}`, { cryptMethod }, 'ERR_UNSUPPORTED'],
  ),
  ...[2, 255].map(
    (compressionType): Refusal => [
      `compression_type ${compressionType}`,
      { compressionType, incompatibleFeatures: 8n },
      'ERR_UNSUPPORTED',
    ],
  ),
  ...[7, 255].map(
    (refcountOrder): Refusal => [`refcount_order is ${refcountOrder}`, { refcountOrder }, 'ERR_CORRUPT'],
  ),
];

describe.each([
  ['whose format is probed', []],
  ['whose format is recorded', [backingFormat('qcow2')]],
] as const)('a base %s', (_, extensions) => {
  const overlay = qcow2Image({ backing: 'base', extensions });
  const over = (header: Header) =>
    openBytes(overlay, { services: { gate: memoryGate({ base: qcow2Image({ header }) }) } });

  test.each(REFUSALS)('is refused for %s', async (named, header, code) => {
    const error = await diskErrorOf(() => over(header));
    expect(error).toMatchObject({ code, layer: 'base' });
    expect(error.reason).toContain(named);
  });

  test('opens when all that it needs is implemented', async () => {
    await using disk = await over({});
    expect(await disk.read(0, 4)).toEqual(new Uint8Array(4));
  });
});
