import { can, createDisks, MemoryDisk } from '@diskstack/core';
import { diskErrorOf } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { createQcow, qcow, qcow2 } from '../../src/index.ts';

const disks = createDisks({ formats: [qcow, qcow2] });
const MIB = 1024 * 1024;

async function memory(): Promise<MemoryDisk> {
  const disk = new MemoryDisk(new Uint8Array(0), { writable: true });
  await disk.init();
  return disk;
}

function bytesOf({ bytes }: MemoryDisk): Uint8Array {
  return bytes.slice();
}

test('the options of the schema make the image that createQcow makes', async () => {
  const [byNames, byTypes] = [await memory(), await memory()];
  await disks.create(byNames, {
    format: 'qcow2',
    size: MIB,
    options: {
      cluster_size: 4096,
      compat: 'v3',
      lazy_refcounts: true,
      refcount_bits: 8,
      compression_type: 'zstd',
    },
    backing: { name: 'base.raw', format: 'raw' },
  });
  await createQcow(byTypes, {
    size: MIB,
    clusterSize: 4096,
    version: 3,
    lazyRefcounts: true,
    refcountBits: 8,
    compressionType: 'zstd',
    backing: { name: 'base.raw', format: 'raw' },
  });
  expect(bytesOf(byNames)).toEqual(bytesOf(byTypes));
});

test.each([qcow, qcow2])(
  'the disk of a new $name image has the abilities that the format promises',
  async ({ name, create }) => {
    const file = await memory();
    await disks.create(file, { format: name, size: MIB });
    await using disk = await disks.push(file, { format: name, mountMode: 'rw' });
    expect(create?.abilities?.length).toBeGreaterThan(0);
    for (const ability of create?.abilities ?? [])
      expect([ability, can(disk, ability)]).toEqual([ability, true]);
  },
);

test('the options of an image make another one like it', async () => {
  const options = {
    cluster_size: 16_384,
    compat: '1.1',
    lazy_refcounts: true,
    refcount_bits: 32,
    extended_l2: true,
  };
  const [file, again] = [await memory(), await memory()];
  await disks.create(file, { format: 'qcow2', size: MIB, options });
  await using disk = await disks.push(file);
  const info = can(disk, 'info') ? disk.info() : undefined;
  const read = info && qcow2.create?.optionsOf?.(info);
  expect(read).toMatchObject(options);
  await disks.create(again, { format: 'qcow2', size: MIB, options: read });
  expect(bytesOf(again)).toEqual(bytesOf(file));
});

test('an encrypted image takes its key as an option', async () => {
  const file = await memory();
  const request = { format: 'qcow2', size: MIB };
  const keyless = () => disks.create(file, { ...request, options: { 'encrypt.format': 'aes' } });
  expect((await diskErrorOf(keyless)).code).toBe('ERR_WRONG_KEY');
  const options = { 'encrypt.format': 'aes', 'encrypt.key-secret': new TextEncoder().encode('secret') };
  await disks.create(file, { ...request, options });
  await using disk = await disks.push(file, { withoutKeys: true });
  expect(can(disk, 'info') && disk.info().encrypted).toBe(true);
});

test('amend takes the options of the schema, and refuses others before it changes anything', async () => {
  const file = await memory();
  await disks.create(file, { format: 'qcow2', size: MIB });
  const before = bytesOf(file);
  const amend = async (options: Readonly<Record<string, string | number>>): Promise<void> => {
    await using disk = await disks.push(file, { mountMode: 'rw' });
    if (!can(disk, 'amend')) throw new Error('no amend');
    await disk.amend({ options });
  };
  for (const options of [
    { cluster_size: 512 },
    { compat: '2' },
    { refcount_bits: '8' },
    { size: 1 },
  ] as const) {
    const opened = new MemoryDisk(before.slice(), { writable: true });
    await opened.init();
    await using disk = await disks.push(opened, { mountMode: 'rw' });
    if (!can(disk, 'amend')) throw new Error('no amend');
    const able = disk;
    expect((await diskErrorOf(() => able.amend({ options }))).code).toBe('ERR_ARGUMENT');
    expect(bytesOf(opened)).toEqual(before);
  }
  await amend({ compat: '0.10' });
  expect(file.bytes[7]).toBe(2);
});

test.each([
  [{ data_file_raw: true }, 'data_file_raw needs a data_file'],
  [{ 'encrypt.cipher-alg': 'aes-256' }, 'encrypt.cipher-alg without encrypt.format'],
  [{ 'encrypt.key-secret': new Uint8Array(8) }, 'encrypt.key-secret without encrypt.format'],
])(
  'options %j contradict themselves: nothing is made, and never an image without encryption',
  async (options, reason) => {
    for (const format of ['qcow2', 'qcow']) {
      const file = await memory();
      const error = await diskErrorOf(() => disks.create(file, { format, size: MIB, options }));
      expect([error.code, file.bytes.length]).toEqual(['ERR_ARGUMENT', 0]);
      if (format === 'qcow2') expect(error.reason).toBe(reason);
    }
  },
);

test.each([qcow, qcow2])(
  '$name refuses encrypted clusters that are compressed, before a file is opened',
  ({ create }) => {
    const check = (compressed: boolean) => create?.check?.({ 'encrypt.format': 'aes' }, { compressed });
    expect(() => check(true)).toThrow('clusters are either compressed or encrypted');
    expect(() => check(false)).not.toThrow();
  },
);
