import { diskErrorOf } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { flawedDisk } from '../support/flawed-disk.ts';
import { qcow2Image } from '../support/image-builder.ts';
import { keyed } from '../support/keys.ts';
import { openBytes, openDisk } from '../support/open.ts';

const ENCRYPTION_HEADER = 0x0537be77;
const CLUSTER = 4096;

/** An image of crypt_method 2 whose header extension names these bytes. */
function image(offset: bigint, length: bigint, extensionBytes = 16): Uint8Array {
  const data = Buffer.alloc(16);
  data.writeBigUInt64BE(offset, 0);
  data.writeBigUInt64BE(length, 8);
  return qcow2Image({
    header: { cryptMethod: 2 },
    extensions: [{ type: ENCRYPTION_HEADER, data: data.subarray(0, extensionBytes) }],
    at: [[8 * CLUSTER, new Uint8Array(CLUSTER)]],
  });
}

const open = (bytes: Uint8Array, metadataOnly = false) =>
  diskErrorOf(() => openBytes(bytes, { services: keyed('any'), metadataOnly }));

test.each([
  ['past the end of the file', image(BigInt(20 * CLUSTER), BigInt(CLUSTER))],
  ['cut by the end of the file', image(BigInt(9 * CLUSTER - 100), BigInt(CLUSTER))],
  ['shorter than a LUKS header', image(BigInt(8 * CLUSTER), 100n)],
  ['of zeroes', image(BigInt(8 * CLUSTER), BigInt(CLUSTER))],
] as const)('an encryption header %s is corrupt, with a key and for metadata alone', async (_, bytes) => {
  expect((await open(bytes)).code).toBe('ERR_CORRUPT');
  expect((await open(bytes, true)).code).toBe('ERR_CORRUPT');
});

test('an encryption header past 2^53 is refused, and never rounded', async () => {
  expect((await open(image(2n ** 60n, 4096n))).code).toBe('ERR_UNSUPPORTED');
});

test('a header extension that is too short to name one is truncated', async () => {
  expect((await open(image(BigInt(8 * CLUSTER), BigInt(CLUSTER), 8))).code).toBe('ERR_TRUNCATED');
});

test.each(['fails', 'falls short', 'gives nothing'] as const)(
  'a read that %s in an encryption header is the disk’s error, and not a wrong key',
  async (what) => {
    const flawed = flawedDisk(image(BigInt(8 * CLUSTER), BigInt(CLUSTER)));
    flawed.fault = { at: 8 * CLUSTER + 300, what };
    const error = await diskErrorOf(() => openDisk(flawed.disk, { services: keyed('any') }));
    expect(error.code).toBe(what === 'fails' ? 'ERR_IO' : 'ERR_SHORT_READ');
  },
);
