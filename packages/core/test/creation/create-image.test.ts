import { expect, test } from 'vitest';
import { checkOptions, type DiskFormat, defineCreation } from '../../src/format.ts';
import { createDisks, MemoryDisk } from '../../src/index.ts';

const SCHEMA = {
  size: { type: 'virtual-size', help: '' },
  base: { type: 'backing-file', help: '' },
  mode: { type: 'text', help: '', choices: ['thin', 'thick'], aliases: { lean: 'thin' } },
  grain: { type: 'size', help: '' },
  sealed: { type: 'flag', help: '' },
  part: { type: 'file', help: '' },
  key: { type: 'secret', help: '' },
} as const;

/** A format that writes down what it is asked for. */
function scribe(): { readonly format: DiskFormat; readonly asked: unknown[] } {
  const asked: unknown[] = [];
  const format: DiskFormat = {
    name: 'scribe',
    title: '',
    probe: () => undefined,
    open: (disk) => disk,
    create: defineCreation({
      options: SCHEMA,
      async write(target, { size, options, backing, makeFile }) {
        if (options.part !== undefined) asked.push(await makeFile(options.part));
        asked.push(target, size, options, backing);
      },
    }),
  };
  return { format, asked };
}

const readOnly: DiskFormat = { name: 'read-only', title: '', probe: () => undefined, open: (disk) => disk };

test('a format is asked to write the image, with the values as its schema has them', async () => {
  const { format, asked } = scribe();
  const target = new MemoryDisk(new Uint8Array(16));
  await createDisks({ formats: [format] }).create(target, {
    format: 'scribe',
    size: 512,
    options: { mode: 'lean', grain: 4096 },
    backing: { name: 'base.raw', format: 'raw' },
  });
  expect(asked).toEqual([target, 512, { mode: 'thin', grain: 4096 }, { name: 'base.raw', format: 'raw' }]);
});

test('a further file comes from the caller', async () => {
  const { format, asked } = scribe();
  const file = new MemoryDisk(new Uint8Array(1));
  const names: string[] = [];
  const makeFile = async (name: string) => {
    names.push(name);
    return file;
  };
  const disks = createDisks({ formats: [format] });
  await disks.create(new MemoryDisk(new Uint8Array(16)), {
    format: 'scribe',
    size: 0,
    options: { part: 'a.part' },
    makeFile,
  });
  expect([names, asked[0]]).toEqual([['a.part'], file]);
  const without = disks.create(new MemoryDisk(new Uint8Array(16)), {
    format: 'scribe',
    size: 0,
    options: { part: 'a.part' },
  });
  await expect(without).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
    reason: expect.stringContaining('"a.part"'),
  });
});

test.each([
  [{ mode: 'fat' }, 'mode is thin or thick, not "fat"'],
  [{ mode: true }, 'mode is a string, not a boolean'],
  [{ grain: '4k' }, 'grain is a number, not a string'],
  [{ grain: -1 }, 'grain is a whole number of 0 or more, not -1'],
  [{ grain: 0.5 }, 'grain is a whole number of 0 or more, not 0.5'],
  [{ grain: Number.NaN }, 'grain is a whole number of 0 or more, not NaN'],
  [{ key: 'text' }, 'key is bytes, not a string'],
  [{ shape: 1 }, 'scribe has no option "shape"; there are base, grain, key, mode, part, sealed, size'],
  [{ toString: 'x' }, 'scribe has no option "toString"'],
  [{ mode: 'constructor' }, 'mode is thin or thick, not "constructor"'],
])('options %j are refused', (options, message) => {
  expect(() => checkOptions('scribe', SCHEMA, options)).toThrow(message);
});

test.each([
  [
    'size',
    { format: 'scribe', size: 0, options: { size: 1 } },
    'size is not among the options: pass it as size',
  ],
  [
    'base',
    { format: 'scribe', size: 0, options: { base: 'x' } },
    'base is not among the options: pass it as backing',
  ],
  [
    'a negative size',
    { format: 'scribe', size: -1 },
    'the size is a whole number of 0 or more bytes, not -1',
  ],
  [
    'a format that is only read',
    { format: 'read-only', size: 1 },
    'writing "read-only" images is not supported; possible: scribe',
  ],
  ['an unknown format', { format: 'none', size: 1 }, 'no format "none" is registered'],
])('%s: refused before anything is written', async (_what, request, message) => {
  const { format, asked } = scribe();
  const disks = createDisks({ formats: [format, readOnly] });
  await expect(disks.create(new MemoryDisk(new Uint8Array(16)), request)).rejects.toThrow(message);
  expect(asked).toEqual([]);
});

test('a backing file for a format that has none is refused', async () => {
  const plain: DiskFormat = {
    ...readOnly,
    create: defineCreation({ options: {}, write: async () => {} }),
  };
  const request = { format: 'read-only', size: 1, backing: { name: 'x' } };
  await expect(
    createDisks({ formats: [plain] }).create(new MemoryDisk(new Uint8Array(1)), request),
  ).rejects.toThrow('read-only images have no backing file');
});
