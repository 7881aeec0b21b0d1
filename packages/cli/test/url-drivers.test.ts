import { createDisks, type DiskModule, MemoryDisk } from '@diskstack/core';
import { type StorageDriver, urlNames } from '@diskstack/core/format';
import { diskErrorOf } from '@diskstack/core/testing';
import { partition } from '@diskstack/partition';
import { createQcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { expect, test } from 'vitest';

// A storage of the caller's own: it takes URLs, knows no `#`, and throws what its network client throws.

const MIB = 1024 * 1024;

function partitioned(fill: number): Uint8Array {
  const disk = new Uint8Array(4 * MIB).fill(fill, MIB);
  const view = new DataView(disk.buffer);
  disk.set([0x55, 0xaa], 510);
  disk.set([0, 0, 0, 0, 0x83], 446);
  view.setUint32(454, 2048, true);
  view.setUint32(458, 6144, true);
  return disk;
}

interface Network {
  readonly driver: StorageDriver;
  /** What the driver was asked for. */
  readonly asked: Set<string>;
}

type Fault = 'open' | 'init' | 'read' | 'kind' | 'canonical' | 'identity';

function network(files: Readonly<Record<string, Uint8Array>>, faults: readonly Fault[] = []): Network {
  const asked = new Set<string>();
  const fail = (fault: Fault, path: string): void => {
    asked.add(path);
    if (faults.includes(fault) && path.includes('bad')) throw new TypeError('fetch failed');
  };
  return {
    asked,
    driver: {
      ...urlNames('http'),
      open(path) {
        fail('open', path);
        const bytes = files[path];
        const disk = new MemoryDisk(bytes ?? new Uint8Array(0), { location: path });
        const plain: DiskModule = {
          diskType: '',
          blockSize: 512,
          writable: false,
          async init() {
            fail('init', path);
            if (bytes === undefined) throw new TypeError(`404: ${path}`);
            await disk.init();
          },
          size: () => disk.size(),
          async read(offset, length, io) {
            fail('read', path);
            return await disk.read(offset, length, io);
          },
          write: (offset, data) => disk.write(offset, data),
          close: () => disk.close(),
          getBase: () => plain,
          [Symbol.asyncDispose]: () => disk.close(),
        };
        return plain;
      },
      async kind(path) {
        fail('kind', path);
        return 'file'; // whatever it is asked for: a server drops the fragment
      },
      async canonical(path) {
        fail('canonical', path);
        return path;
      },
      async identity(path) {
        fail('identity', path);
        return path;
      },
    },
  };
}

const services = { formats: [raw, qcow2], layouts: [partition] };

test('the fragment of a URL is the address of a layer, and the driver gets the rest with its scheme', async () => {
  const { driver, asked } = network({ 'http://host/dir/disk.img?v=1': partitioned(7) });
  const disks = createDisks({ ...services, drivers: [driver] });
  await using layer = await disks.openLayer('http://host/dir/disk.img?v=1#p1');
  expect([layer.size(), (await layer.read(0, 1))[0]]).toEqual([3 * MIB, 7]);
  expect([...asked].filter((path) => path.includes('#'))).toEqual([]);
  expect([...asked].every((path) => path.startsWith('http://host/dir'))).toBe(true);
});

test.each([
  ['base.img', 'http://host/dir/base.img'],
  ['/other/base.img', undefined],
  ['../base.img', undefined],
  ['a b#c?d.img', 'http://host/dir/a%20b%23c%3Fd.img'],
  ['%2e%2e/base.img', 'http://host/dir/%252e%252e/base.img'],
  ['//evil/base.img', undefined],
])('an image behind a URL names %s: %s', async (name, expected) => {
  const top = new MemoryDisk(new Uint8Array(0));
  await top.init();
  await createQcow(top, { size: MIB, backing: { name, format: 'raw' } });
  const files = { 'http://host/dir/top.qcow2': top.bytes, [expected ?? '']: new Uint8Array(MIB).fill(9) };
  const { driver, asked } = network(files);
  const disks = createDisks({ ...services, drivers: [driver] });
  const open = () => disks.open('http://host/dir/top.qcow2');
  if (expected === undefined) {
    expect((await diskErrorOf(open)).code).toBe('ERR_BACKING_DENIED');
  } else {
    await using disk = await open();
    expect((await disk.read(0, 1))[0]).toBe(9);
    expect(asked).toContain(expected);
  }
});

const files = { 'http://host/bad.img': partitioned(1), 'http://host/good.img': partitioned(2) };

test.each(['open', 'init', 'read'] as const)(
  'what a driver throws from %s is a DiskError that names the storage',
  async (fault) => {
    const disks = createDisks({ ...services, drivers: [network(files, [fault]).driver] });
    const error = await diskErrorOf(() => disks.openLayer('http://host/bad.img#p1'));
    expect(error).toMatchObject({ code: 'ERR_IO', cause: expect.any(TypeError) as unknown });
    expect(error.message).toContain('http://host/bad.img');
    expect(error.reason).toContain('fetch failed');
  },
);

test.each(['canonical', 'identity'] as const)(
  'what a driver throws from %s is one as well, when an image names another disk',
  async (fault) => {
    const top = new MemoryDisk(new Uint8Array(0));
    await top.init();
    await createQcow(top, { size: MIB, backing: { name: 'bad-base.img', format: 'raw' } });
    const chain = { 'http://host/bad.qcow2': top.bytes, 'http://host/bad-base.img': new Uint8Array(MIB) };
    const disks = createDisks({ ...services, drivers: [network(chain, [fault]).driver] });
    const error = await diskErrorOf(() => disks.open('http://host/bad.qcow2'));
    expect(error).toMatchObject({ code: 'ERR_IO', cause: expect.any(TypeError) as unknown });
    expect(error.message).toContain('http://host/bad');
    expect(error.reason).toContain('fetch failed');
  },
);

test.each(['open', 'init', 'read', 'kind', 'canonical', 'identity'] as const)(
  'a driver that fails at %s costs one node of a tree, and not the tree',
  async (fault) => {
    const disks = createDisks({ ...services, drivers: [network(files, [fault]).driver] });
    const nodes = await disks.tree(['http://host/bad.img', 'http://host/good.img']);
    expect(nodes.map(({ path }) => path)).toEqual(['http://host/bad.img', 'http://host/good.img']);
    expect(nodes[1]).toMatchObject({ status: 'ok', children: [{ status: 'ok' }] });
  },
);

/** Storages that do not keep to the contract: what a program without types passes. */
const STRANGE: readonly (readonly [string, object | undefined])[] = [
  [
    'whose size fails',
    {
      size: () => {
        throw new TypeError('fetch failed');
      },
    },
  ],
  ['with less than no bytes', { size: () => -1 }],
  ['whose size is a bigint', { size: () => 4096n }],
  ['that reads nothing', { read: async () => null }],
  ['that is none', undefined],
];

test.each(STRANGE)('a storage %s is an error of that storage', async (_, changes) => {
  const { driver } = network({ 'http://host/disk.raw': new Uint8Array(MIB) });
  const strange: StorageDriver = {
    ...driver,
    open: (path, options) =>
      (changes && { ...driver.open(path, options), ...changes }) as unknown as DiskModule,
  };
  const disks = createDisks({ formats: [raw, qcow2], drivers: [strange], layouts: [partition] });
  const error = { code: 'ERR_IO', layer: 'http://host/disk.raw' };
  expect(await diskErrorOf(() => disks.open('http://host/disk.raw'))).toMatchObject(error);
  expect(await diskErrorOf(() => disks.probe('http://host/disk.raw'))).toMatchObject({ code: 'ERR_IO' });
  const [node] = await disks.tree(['http://host/disk.raw']);
  expect(node).toMatchObject({ status: 'error' });
});

test.each<unknown>([undefined, null, 5, {}])('%s cannot be opened', async (source) => {
  const { driver } = network({});
  const disks = createDisks({ formats: [raw], drivers: [driver] });
  const error = await diskErrorOf(() => disks.open(source as DiskModule));
  expect(error.code).toBe('ERR_ARGUMENT');
});
