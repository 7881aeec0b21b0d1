import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { featureName } from '../support/feature-name.ts';
import { type ImageSpec, qcow2Image } from '../support/image-builder.ts';
import { infoOf, openBytes } from '../support/open.ts';

const FEATURE_NAME_TABLE = 0x6803f857;

function open(spec: ImageSpec, options: Parameters<typeof openBytes>[1] = {}) {
  return openBytes(qcow2Image(spec), options);
}

describe('what is no QCOW image', () => {
  test.for([
    ['an empty file', new Uint8Array(0)],
    ['three bytes of the magic number', Uint8Array.of(0x51, 0x46, 0x49)],
    ['another magic number', new TextEncoder().encode('conectix and more')],
  ] as const)('%s is not this format', async ([, bytes]) => {
    const error = await diskErrorOf(() => openBytes(bytes, { format: 'qcow2' }));
    expect(error).toMatchObject({ code: 'ERR_NOT_THIS_FORMAT', format: 'qcow2', offset: 0 });
    expect((await diskErrorOf(() => openBytes(bytes, { format: 'qcow' }))).code).toBe('ERR_NOT_THIS_FORMAT');
  });

  test.for([4, 7, 8, 20, 71, 103])('an image cut after %i bytes is truncated', async (length) => {
    const image = qcow2Image().subarray(0, length);
    expect((await diskErrorOf(() => openBytes(image, { format: 'qcow2' }))).code).toBe('ERR_TRUNCATED');
  });

  test.for([0, 4, 255, 0xffff_ffff])('version %i is refused by number, and is not raw', async (version) => {
    const error = await diskErrorOf(() => open({ header: { version } }));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', format: 'qcow2', offset: 4 });
    expect(error.reason).toContain(`version ${version}`);
  });

  test('each version has its format, and the other one says which', async () => {
    const error = await diskErrorOf(() => open({}, { format: 'qcow' }));
    expect(error.code).toBe('ERR_NOT_THIS_FORMAT');
    expect(error.reason).toContain('the format is qcow2');
    const v1 = await diskErrorOf(() => open({ header: { version: 1 } }, { format: 'qcow2' }));
    expect(v1.reason).toContain('the format is qcow');
  });
});

describe('features', () => {
  test.for([5, 6, 31, 32, 63])('unknown incompatible bit %i is refused by its number', async (bit) => {
    const error = await diskErrorOf(() => open({ header: { incompatibleFeatures: 1n << BigInt(bit) } }));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', offset: 72 });
    expect(error.reason).toContain(`bit ${bit}`);
  });

  test('an unknown incompatible bit is refused by the name that the image has for it', async () => {
    const error = await diskErrorOf(() =>
      open({
        header: { incompatibleFeatures: (1n << 7n) | (1n << 9n) },
        extensions: [{ type: FEATURE_NAME_TABLE, data: featureName(0, 7, 'warp drive') }],
      }),
    );
    expect(error.reason).toContain('bit 7 ("warp drive"), bit 9');
  });

  test('unknown compatible and autoclear bits are ignored', async () => {
    await using disk = await open({
      header: { compatibleFeatures: 0xffff_ffff_ffff_fffen, autoclearFeatures: 1n << 63n },
    });
    expect(disk.size()).toBe(65536);
  });

  test('a dirty image opens, with a warning', async () => {
    await using disk = await open({ header: { incompatibleFeatures: 1n } });
    expect(infoOf(disk).dirty).toBe(true);
    expect(infoOf(disk).warnings?.join()).toContain('dirty');
  });

  test('an image marked corrupt opens, with a warning', async () => {
    await using disk = await open({ header: { incompatibleFeatures: 2n } });
    expect(infoOf(disk).specific?.data.corrupt).toBe(true);
    expect(infoOf(disk).warnings?.join()).toContain('corrupt');
  });

  test('a clean image has no warning', async () => {
    await using disk = await open({});
    expect(infoOf(disk)).toMatchObject({ dirty: false, warnings: [] });
  });

  test('an external data file without a name is refused, and the clusters are not looked for in the image', async () => {
    const error = await diskErrorOf(() => open({ header: { incompatibleFeatures: 4n } }));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', format: 'qcow2' });
    expect(error.reason).toContain('external data file');
  });

  test('crypt_method 1 needs a key, and is not read as plain data', async () => {
    const error = await diskErrorOf(() => open({ header: { cryptMethod: 1 } }));
    expect(error).toMatchObject({ code: 'ERR_WRONG_KEY', format: 'qcow2' });
    expect(error.reason).toContain('aes');
  });

  test('crypt_method 2 without its header extension is corrupt', async () => {
    const error = await diskErrorOf(() => open({ header: { cryptMethod: 2 } }));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 32 });
    expect(error.reason).toContain('LUKS');
  });

  test.for([3, 4, 0xffff_ffff])('crypt_method %i is refused by number', async (cryptMethod) => {
    const error = await diskErrorOf(() => open({ header: { cryptMethod } }));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', offset: 32 });
    expect(error.reason).toContain(`crypt_method ${cryptMethod}`);
  });

  test('compression type 2 is refused by number', async () => {
    const error = await diskErrorOf(() => open({ header: { incompatibleFeatures: 8n, compressionType: 2 } }));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', offset: 104 });
    expect(error.reason).toContain('compression_type 2');
  });

  test.for([
    ['a type without the bit', { compressionType: 1 }],
    ['the bit without a type', { incompatibleFeatures: 8n }],
    ['the bit without the field', { incompatibleFeatures: 8n, headerLength: 104 }],
  ] as const)('compression: %s is corrupt', async ([, header]) => {
    expect(await diskErrorOf(() => open({ header }))).toMatchObject({ code: 'ERR_CORRUPT', offset: 104 });
  });

  test('refcount_order 7 is corrupt, and 6 is good', async () => {
    const error = await diskErrorOf(() => open({ header: { refcountOrder: 7 } }));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 96 });
    expect(error.reason).toContain('refcount_order is 7');
    await using disk = await open({ header: { refcountOrder: 6 } });
    expect(infoOf(disk).specific?.data['refcount-bits']).toBe(64);
  });
});

describe('sizes', () => {
  test.for([0, 8, 22, 63, 0xffff_ffff])('cluster_bits %i is corrupt', async (clusterBits) => {
    const error = await diskErrorOf(() => open({ header: { clusterBits } }));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 20 });
    expect(error.reason).toContain(`cluster_bits is ${clusterBits}`);
  });

  test.for([
    ['backingFileOffset', 8],
    ['size', 24],
    ['l1TableOffset', 40],
    ['refcountTableOffset', 48],
    ['snapshotsOffset', 64],
  ] as const)('%s past 2^53 is refused by name, at byte %i, and never rounded', async ([field, at]) => {
    const image = qcow2Image();
    new DataView(image.buffer).setBigUint64(at, 2n ** 53n);
    const error = await diskErrorOf(() => openBytes(image));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', offset: at });
    expect(error.reason).toContain(field);
    expect(error.reason).toContain('9007199254740992');
  });

  test('a size that is no multiple of 512 stays exact', async () => {
    await using disk = await open({ size: 12_345 });
    expect(disk.size()).toBe(12_345);
    expect(await disk.read(12_000, 1000)).toHaveLength(345);
  });

  test.for([0, 72, 96, 103])(
    'header_length %i is corrupt: version 3 has at least 104',
    async (headerLength) => {
      const error = await diskErrorOf(() => open({ header: { headerLength } }));
      expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 100 });
    },
  );

  test('a header longer than the first cluster is corrupt', async () => {
    const error = await diskErrorOf(() => open({ clusterBits: 9, header: { headerLength: 520 } }));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 100 });
    expect(error.reason).toContain('520');
  });

  test('additional header fields that are not known are ignored', async () => {
    const image = qcow2Image({ header: { headerLength: 160 } });
    image.fill(0xff, 112, 160);
    await using disk = await openBytes(image);
    expect(disk.size()).toBe(65536);
  });

  test('snapshots do not hinder reading the disk as it is now', async () => {
    await using disk = await open({ header: { nbSnapshots: 3, snapshotsOffset: 4096 * 9 } });
    expect(await disk.read(0, 4)).toEqual(new Uint8Array(4));
  });
});

describe('header extensions', () => {
  test('unknown ones are ignored', async () => {
    await using disk = await open({ extensions: [{ type: 0xdeadbeef, data: new Uint8Array(100).fill(9) }] });
    expect(disk.size()).toBe(65536);
  });

  test('they begin where header_length says', async () => {
    const extensions = [{ type: FEATURE_NAME_TABLE, data: featureName(0, 5, 'found') }];
    const header = { headerLength: 136, incompatibleFeatures: 32n };
    expect((await diskErrorOf(() => open({ extensions, header }))).reason).toContain('found');
  });

  test('without an end marker they end at the backing name', async () => {
    const backingFormat = { type: 0xe2792aca, data: new TextEncoder().encode('raw padd') };
    const spec = {
      extensions: [backingFormat],
      unendedExtensions: true,
      backing: '\x11\x22\x33\x44\x7f\xff\xff\xff',
    };
    await using disk = await open(spec, { metadataOnly: true });
    expect(infoOf(disk).backing?.format).toBe('raw padd');
  });

  test('one longer than what is left of the first cluster is corrupt, at its own byte', async () => {
    const error = await diskErrorOf(() =>
      open({ extensions: [{ type: 0x1234, data: new Uint8Array(8), length: 4096 }] }),
    );
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 112 });
  });

  test('one that reaches into the backing name is corrupt', async () => {
    const spec = { extensions: [{ type: 0x1234, data: new Uint8Array(8), length: 64 }], backing: 'base.img' };
    expect((await diskErrorOf(() => open(spec))).code).toBe('ERR_CORRUPT');
  });

  test('version 2 has them from byte 72 on', async () => {
    const backingFormat = { type: 0xe2792aca, data: new TextEncoder().encode('raw') };
    const spec = { version: 2, extensions: [backingFormat], backing: 'base.img' } as const;
    await using disk = await open(spec, { metadataOnly: true });
    expect(infoOf(disk)).toMatchObject({ version: 2, backing: { name: 'base.img', format: 'raw' } });
  });
});
