import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { can, type DiskModule } from '@diskstack/core';
import { nodePrimitives } from '@diskstack/crypto/node';
import { beforeAll, expect, test } from 'vitest';
import type { CreateQcowOptions } from '../../src/index.ts';
import { random } from '../support/content.ts';
import { openFile } from '../support/matrix.ts';
import {
  checkWithQemu,
  convertSource,
  describeWithQemu,
  encryptedSource,
  plainSource,
  qemuIo,
} from '../support/qemu.ts';
import { tempFolder } from '../support/temp-folder.ts';
import {
  type CreateCase,
  createFile,
  createWithQemu,
  infoWithQemu,
  moveAway,
  PASSPHRASE,
} from './support.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

const base = (more: Partial<CreateQcowOptions> = {}): CreateQcowOptions => ({ size: 5 * MiB, ...more });
const onOff = (flag: boolean): string => (flag ? 'on' : 'off');
const passphrase = new TextEncoder().encode(PASSPHRASE);

/** Every option with its neighbours, and a row of generated combinations. */
function* cases(): Generator<CreateCase> {
  for (const size of [0, 1, 511, 512, 513, 65_536, 100_001, 3 * MiB + 512])
    yield { name: `${size} bytes`, ours: { size }, theirs: '' };
  for (const bits of [9, 10, 12, 13, 14, 16, 18, 21])
    yield {
      name: `clusters of ${2 ** bits}`,
      ours: base({ clusterSize: 2 ** bits }),
      theirs: `cluster_size=${2 ** bits}`,
    };
  for (const refcountBits of [1, 2, 4, 8, 16, 32, 64])
    yield {
      name: `${refcountBits} refcount bits`,
      ours: base({ refcountBits, clusterSize: 512 }),
      theirs: `refcount_bits=${refcountBits},cluster_size=512`,
    };
  yield { name: 'version 2', ours: base({ version: 2 }), theirs: 'compat=0.10' };
  yield { name: 'zstd', ours: base({ compressionType: 'zstd' }), theirs: 'compression_type=zstd' };
  yield { name: '1 TiB', ours: { size: 1024 ** 4 }, theirs: '' };
  yield {
    name: '64 GiB in small clusters',
    ours: { size: 64 * 1024 ** 3, clusterSize: 512 },
    theirs: 'cluster_size=512',
  };
  for (const preallocation of ['metadata', 'falloc', 'full'] as const) {
    yield {
      name: `preallocation ${preallocation}`,
      ours: base({ preallocation, size: 5 * MiB + 512 }),
      theirs: `preallocation=${preallocation}`,
    };
  }
  for (const name of ['base.raw', '/nowhere/ü.raw', 'x'.repeat(300)])
    yield {
      name: `a backing file ${name.slice(0, 20)}`,
      ours: base({ backing: { name, format: 'raw' } }),
      theirs: '',
      flags: ['-u', '-b', name, '-F', 'raw'],
    };
  const next = random(20_261);
  for (let index = 0; index < 14; index++) {
    const extendedL2 = next(2) === 0;
    const clusterSize = 2 ** (extendedL2 ? 14 + next(4) : 9 + next(10));
    const refcountBits = 2 ** next(7);
    const lazyRefcounts = next(2) === 0;
    const compressionType = next(2) === 0 ? 'zlib' : 'zstd';
    const preallocation = (['off', 'metadata', 'full'] as const)[next(3)] ?? 'off';
    const size = 1 + next(6 * MiB);
    const theirs = `cluster_size=${clusterSize},refcount_bits=${refcountBits},extended_l2=${onOff(extendedL2)},lazy_refcounts=${onOff(lazyRefcounts)},compression_type=${compressionType},preallocation=${preallocation}`;
    const ours = {
      size,
      clusterSize,
      refcountBits,
      extendedL2,
      lazyRefcounts,
      compressionType,
      preallocation,
    } as const;
    yield { name: `${index}: ${theirs} of ${size}`, ours, theirs };
  }
  const fast = { iterations: 1000 };
  const luks = (settings: object): CreateQcowOptions =>
    base({ encryption: { kind: 'luks', passphrase, settings: { ...fast, ...settings } } });
  const luksOf = 'encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=1';
  yield { name: 'luks', ours: luks({}), theirs: luksOf };
  yield {
    name: 'luks serpent cbc essiv',
    ours: luks({ cipher: 'serpent-256', mode: 'cbc', ivgen: 'essiv', ivgenHash: 'sha256', hash: 'sha512' }),
    theirs: `${luksOf},encrypt.cipher-alg=serpent-256,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha512`,
  };
  yield {
    name: 'luks, preallocated',
    ours: { ...luks({}), preallocation: 'metadata' },
    theirs: `${luksOf},preallocation=metadata`,
  };
  yield {
    name: 'aes',
    ours: base({ encryption: { kind: 'aes', passphrase } }),
    theirs: 'encrypt.format=aes,encrypt.key-secret=key',
  };
  yield {
    name: 'aes of version 2, preallocated',
    ours: base({ version: 2, preallocation: 'metadata', encryption: { kind: 'aes', passphrase } }),
    theirs: 'compat=0.10,preallocation=metadata,encrypt.format=aes,encrypt.key-secret=key',
  };
}

describeWithQemu('createQcow against qemu-img create', () => {
  const temp = tempFolder();
  let folder = '';
  beforeAll(async () => {
    folder = await temp.next();
    await writeFile(join(folder, 'base.raw'), new Uint8Array(5 * MiB).fill(0x61));
  });

  test.concurrent.for([...cases()])('$name', async (given) => {
    const path = join(folder, `${given.name.replaceAll(/\W+/g, '-').slice(0, 60)}.qcow2`);
    await createFile(path, given.ours);
    const ours = await infoWithQemu(path);
    const away = await moveAway(path);
    await createWithQemu(path, given);
    expect(ours).toEqual(await infoWithQemu(path));
    if (given.ours.backing !== undefined && given.ours.backing.name !== 'base.raw') return; // qemu would open it
    const { imageEndOffset: _ours, ...report } = await checkWithQemu(...sourceOf(away, given));
    const { imageEndOffset: _theirs, ...expected } = await checkWithQemu(...sourceOf(path, given));
    expect(report).toEqual(expected);
    expect(report).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
    if (given.ours.size < 64 * MiB) await expectUsable(away, given);
  });

  function sourceOf(path: string, { ours }: CreateCase): readonly string[] {
    return ours.encryption ? encryptedSource(path, 'qcow2', PASSPHRASE) : plainSource(path, 'qcow2');
  }

  /** qemu reads and writes the image, then we read it. */
  async function expectUsable(path: string, given: CreateCase): Promise<void> {
    const { ours } = given;
    const source = sourceOf(path, given);
    const content = new Uint8Array(Math.ceil(ours.size / 512) * 512);
    if (ours.backing !== undefined) content.fill(0x61);
    expect(Buffer.compare(await convertSource(source), content)).toBe(0);
    const at = Math.floor(content.length / 1024) * 512;
    const length = Math.min(70_000, content.length - at);
    if (length > 0) await qemuIo(source, [`write -P 90 ${at} ${length}`]);
    content.fill(90, at, at + length);
    await using disk = await openEncrypted(path);
    expect(Buffer.compare(await disk.read(0, content.length), content)).toBe(0);
    expect(await checkWithQemu(...source)).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
    if (!can(disk, 'check')) throw new Error('no check');
    expect(await disk.check()).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
  }

  function openEncrypted(path: string): Promise<DiskModule> {
    return openFile(path, 'qcow2', { crypto: nodePrimitives, keys: { keyFor: async () => passphrase } });
  }
});
