import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { noise } from '../support/content.ts';
import { type ImageSpec, qcow1Image, qcow2Image } from '../support/image-builder.ts';
import { memoryGate } from '../support/memory-gate.ts';
import { infoOf, openBytes, readBytes } from '../support/open.ts';

const base = noise(8192, 1);
const services = { gate: memoryGate({ base, ['n'.repeat(1023)]: base }) };

describe.for([2, 3] as const)('version %i', (version) => {
  const image = (spec: ImageSpec) => qcow2Image({ version, ...spec });

  test('the name stands where the header says', async () => {
    expect(await readBytes(image({ backing: 'base', backingAt: 3000 }), 0, 100, { services })).toEqual(
      base.slice(0, 100),
    );
  });

  test('the name may end with the first cluster', async () => {
    expect(await readBytes(image({ backing: 'base', backingAt: 4092 }), 0, 9, { services })).toEqual(
      base.slice(0, 9),
    );
  });

  test('a name past the first cluster is corrupt', async () => {
    const error = await diskErrorOf(() =>
      openBytes(image({ backing: 'base', backingAt: 4093 }), { services }),
    );
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 8 });
    expect(error.reason).toContain('4097');
  });

  test('a place after the first cluster is corrupt, for a name of 0 bytes too', async () => {
    const bytes = image({ header: { backingFileOffset: 2 ** 49, backingFileSize: 0 } });
    expect(await diskErrorOf(() => openBytes(bytes))).toMatchObject({ code: 'ERR_CORRUPT', offset: 8 });
  });

  test('a name of 1023 bytes is good', async () => {
    expect(await readBytes(image({ backing: 'n'.repeat(1023) }), 0, 9, { services })).toEqual(
      base.slice(0, 9),
    );
  });

  test('a name of 1024 bytes is too long', async () => {
    const error = await diskErrorOf(() => openBytes(image({ backing: 'n'.repeat(1024) }), { services }));
    expect(error).toMatchObject({ code: 'ERR_LIMIT', offset: 16 });
    expect(error.reason).toContain('1024');
  });

  test('a name of 4 GiB is refused and not allocated', async () => {
    const spec = image({ backing: 'base', header: { backingFileSize: 0xffff_ffff } });
    expect((await diskErrorOf(() => openBytes(spec, { services }))).code).toBe('ERR_LIMIT');
  });

  test('an offset of 0 means no base, whatever the length says', async () => {
    await using disk = await openBytes(image({ header: { backingFileSize: 77 } }));
    expect(infoOf(disk).backingFileName).toBe('');
    expect(infoOf(disk).backing).toBeUndefined();
  });
});

describe('version 1', () => {
  test('the name stands where the header says', async () => {
    expect(await readBytes(qcow1Image({ backing: 'base' }), 0, 100, { services })).toEqual(
      base.slice(0, 100),
    );
  });

  test('a name of 1024 bytes is too long', async () => {
    const error = await diskErrorOf(() => openBytes(qcow1Image({ backing: 'n'.repeat(1024) }), { services }));
    expect(error).toMatchObject({ code: 'ERR_LIMIT', format: 'qcow', offset: 16 });
  });

  test('a name past the end of the file is truncated', async () => {
    const image = qcow1Image({ backing: 'base', header: { backingFileOffset: 2 ** 40 } });
    const error = await diskErrorOf(() => openBytes(image, { services }));
    expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: 2 ** 40 });
  });
});
