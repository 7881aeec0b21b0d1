import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { can, type DiskModule } from '@diskstack/core';
import type { CryptoPrimitives } from '@diskstack/core/format';
import { portablePrimitives } from '@diskstack/crypto';
import { nodePrimitives } from '@diskstack/crypto/node';
import { expect, test } from 'vitest';
import { random } from '../support/content.ts';
import { openPath } from '../support/image-folder.ts';
import { keyed } from '../support/keys.ts';
import { addPassphrase, DEFAULT_LUKS, type LuksOptions, luks, removeSlot } from '../support/luks.ts';
import { expectSameBytes } from '../support/matrix.ts';
import { infoOf } from '../support/open.ts';
import { convertSource, describeWithQemu, encryptedSource, qemuImg } from '../support/qemu.ts';
import {
  type Deed,
  deeds,
  type ImageKind,
  KiB,
  MiB,
  makeImage,
  qcow2Kind,
  writeImage,
} from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'open sesame';
const PLAIN: readonly Deed[] = ['plain', 'part', 'zero', 'unmap', 'discard'];
const WITH_COMPRESSED: readonly Deed[] = [...PLAIN, 'compressed', 'overwrite'];
const PRIMITIVES = { node: nodePrimitives, portable: portablePrimitives };

function open(path: string, secret = SECRET, crypto: CryptoPrimitives = nodePrimitives): Promise<DiskModule> {
  return openPath(path, { services: keyed(secret, { crypto }) });
}

const AES_V1: ImageKind = {
  label: 'AES, v1',
  format: 'qcow',
  clusterSize: 4 * KiB,
  options: 'encrypt.format=aes',
};

/** Every cipher with every mode, every mode with several vector generators, and every hash. AES has CBC with plain64. */
const PAIRS: readonly LuksOptions[] = [
  { cipher: 'aes-256', mode: 'xts', vectors: 'plain64', hash: 'sha256' },
  { cipher: 'aes-128', mode: 'xts', vectors: 'plain', hash: 'sha1' },
  { cipher: 'aes-192', mode: 'xts', vectors: 'plain64', hash: 'sha512' },
  { cipher: 'aes-128', mode: 'cbc', vectors: 'essiv:sha256', hash: 'ripemd160' },
  { cipher: 'aes-256', mode: 'cbc', vectors: 'plain', hash: 'sha224' },
  { cipher: 'aes-128', mode: 'ctr', vectors: 'plain', hash: 'sha384' },
  { cipher: 'aes-256', mode: 'ctr', vectors: 'essiv:sha256', hash: 'sha1' },
  { cipher: 'aes-128', mode: 'ecb', vectors: 'plain64', hash: 'md5' },
  { cipher: 'aes-256', mode: 'ecb', vectors: 'plain', hash: 'sha512' },
];

const KINDS: readonly ImageKind[] = [
  AES_V1,
  qcow2Kind('0.10', 64 * KiB, 'encrypt.format=aes'),
  qcow2Kind('1.1', 4 * KiB, 'encrypt.format=aes'),
  ...PAIRS.map((options, index) => ({
    ...qcow2Kind(index % 4 === 3 ? '0.10' : '1.1', 64 * KiB, luks(options)),
    label: `LUKS ${Object.values(options).join(' ')}`,
  })),
  qcow2Kind('1.1', 512, DEFAULT_LUKS),
  qcow2Kind('1.1', 16 * KiB, `extended_l2=on,${DEFAULT_LUKS}`),
  qcow2Kind('1.1', 64 * KiB, `preallocation=metadata,${DEFAULT_LUKS}`),
];

describeWithQemu('encrypted images', () => {
  const temp = tempFolder();
  for (const [index, kind] of KINDS.entries()) {
    test.concurrent(`${kind.label}: the bytes are qemu's`, async () => {
      const size = Math.max(MiB, 5 * kind.clusterSize) + 512 * 7;
      const what = kind.options.includes('xts') ? WITH_COMPRESSED : PLAIN;
      const commands = deeds(random(700 + index), kind, size, what);
      const recipe = { name: 'disk', kind, size, secret: SECRET, commands };
      const path = await makeImage(await temp.next(), recipe);
      const expected = await convertSource(encryptedSource(path, kind.format, SECRET));
      for (const crypto of [nodePrimitives, portablePrimitives]) {
        await using disk = await open(path, SECRET, crypto);
        expect(infoOf(disk).encrypted).toBe(true);
        await expectSameBytes(disk, expected);
      }
    });
  }
});

const LUKS = qcow2Kind('1.1', 64 * KiB, DEFAULT_LUKS);
const WRITES = ['write -q -s TEXT 0 100k', 'write -q -c -s TEXT 256k 64k', 'write -q -z 512k 64k'];

describeWithQemu('a LUKS image', () => {
  const temp = tempFolder();
  let made: Promise<string> | undefined;
  /** A copy of one image: qemu takes seconds to make a key slot. */
  const make = async (): Promise<string> => {
    const folder = await temp.next();
    const recipe = { name: 'disk', kind: LUKS, size: MiB, secret: SECRET, commands: WRITES };
    made ??= temp.next().then((shared) => makeImage(shared, recipe));
    await copyFile(await made, join(folder, 'disk'));
    return join(folder, 'disk');
  };

  test('is not stored as plain bytes', async () => {
    const path = await make();
    await using disk = await open(path);
    if (!can(disk, 'downstream')) throw new Error('the disk has no downstream');
    const plain = Buffer.from(await disk.read(0, 64 * KiB)).subarray(0, 32);
    const stored = await disk.downstream.read(0, disk.downstream.size());
    expect(Buffer.from(stored).includes(plain)).toBe(false);
  });

  test('keeps its compressed clusters unencrypted', async () => {
    const path = await make();
    await using disk = await openPath(path, { metadataOnly: true });
    const clear = await disk.read(256 * KiB, 64 * KiB);
    await using unlocked = await open(path);
    expect(clear).toEqual(await unlocked.read(256 * KiB, 64 * KiB));
    expect(clear.some((byte) => byte !== 0)).toBe(true);
  });

  test.for([
    ['a plain base', undefined],
    ['an encrypted base', SECRET],
  ] as const)('over %s: the bytes are those of both', async ([, secret]) => {
    const folder = await temp.next();
    const kind = secret === undefined ? qcow2Kind('1.1', 4 * KiB) : LUKS;
    await makeImage(folder, {
      name: 'base',
      kind,
      size: MiB,
      secret,
      commands: ['write -q -s NOISE 30k 500k'],
    });
    const path = `${folder}/disk`;
    const backing = ['-b', 'base', '-F', 'qcow2', '-u'];
    const options = `${LUKS.options},encrypt.key-secret=key`;
    const object = ['--object', `secret,id=key,data=${SECRET}`];
    await qemuImg('create', '-q', '-f', 'qcow2', ...object, '-o', options, ...backing, path, '2M');
    const more = secret === undefined ? '' : ',backing.encrypt.key-secret=key';
    const source = encryptedSource(path, 'qcow2', SECRET, more);
    await writeImage(path, { kind: LUKS, source }, ['write -q -s TEXT 100k 11k', 'write -q -z 300k 64k']);
    const expected = await convertSource(source);
    await using disk = await open(path);
    await expectSameBytes(disk, expected);
    expect(await disk.read(200 * KiB, 16)).not.toEqual(new Uint8Array(16));
  });

  test.for(Object.entries(PRIMITIVES))(
    'opens by a passphrase in another slot, with %s primitives',
    async ([, crypto]) => {
      const path = await make();
      const expected = await convertSource(encryptedSource(path, 'qcow2', SECRET));
      await addPassphrase(path, SECRET, 'second');
      for (const secret of [SECRET, 'second']) {
        await using disk = await open(path, secret, crypto);
        await expectSameBytes(disk, expected);
      }
    },
  );

  test('does not open by a passphrase whose slot was cleared', async () => {
    const path = await make();
    await addPassphrase(path, SECRET, 'second');
    await removeSlot(path, 'second', 0);
    await expect(open(path)).rejects.toMatchObject({ code: 'ERR_WRONG_KEY' });
    await using disk = await open(path, 'second');
    expect(disk.size()).toBe(MiB);
  });

  test.for(Object.entries(PRIMITIVES))(
    'does not open by a wrong passphrase, with %s primitives',
    async ([, crypto]) => {
      const path = await make();
      for (const secret of ['open sesamE', '', `${SECRET} `]) {
        await expect(open(path, secret, crypto)).rejects.toMatchObject({ code: 'ERR_WRONG_KEY' });
      }
    },
  );

  test('does not open without a passphrase', async () => {
    const path = await make();
    await expect(openPath(path)).rejects.toMatchObject({ code: 'ERR_WRONG_KEY', layer: path });
  });

  test('asks for the key of the image by its path', async () => {
    const path = await make();
    const requests: unknown[] = [];
    const keys = {
      keyFor: async (request: unknown) => {
        requests.push(request);
        return new TextEncoder().encode(SECRET);
      },
    };
    await (await openPath(path, { services: { keys } })).close();
    expect(requests).toEqual([{ location: path, kind: 'luks' }]);
  });

  test('opened for its metadata alone asks for no key and refuses its data', async () => {
    const path = await make();
    const keys = {
      keyFor: async () => {
        throw new Error('asked for a key');
      },
    };
    await using disk = await openPath(path, { metadataOnly: true, services: { keys } });
    expect(infoOf(disk).encrypted).toBe(true);
    await expect(disk.read(0, 512)).rejects.toMatchObject({ code: 'ERR_WRONG_KEY' });
  });

  test("tells of its encryption what qemu-img's info tells", async () => {
    const path = await make();
    await addPassphrase(path, SECRET, 'second');
    const theirs = JSON.parse(await qemuImg('info', '--output', 'json', path)) as {
      'format-specific': { data: { encrypt: unknown } };
    };
    await using disk = await openPath(path, { metadataOnly: true });
    expect(infoOf(disk).specific?.data.encrypt).toEqual(theirs['format-specific'].data.encrypt);
  });
});

describeWithQemu('a legacy AES image', () => {
  const temp = tempFolder();

  test('of a wrong key gives other bytes: nothing in it tells', async () => {
    const kind = qcow2Kind('0.10', 64 * KiB, 'encrypt.format=aes');
    const recipe = { name: 'disk', kind, size: MiB, secret: SECRET, commands: ['write -q -P 7 0 64k'] };
    const path = await makeImage(await temp.next(), recipe);
    await using right = await open(path);
    await using wrong = await open(path, 'another');
    expect(await right.read(0, 512)).toEqual(new Uint8Array(512).fill(7));
    expect(await wrong.read(0, 512)).not.toEqual(await right.read(0, 512));
  });

  test('of version 1 does not open without a key', async () => {
    const recipe = { name: 'disk', kind: AES_V1, size: MiB, secret: SECRET };
    const path = await makeImage(await temp.next(), recipe);
    await expect(openPath(path)).rejects.toMatchObject({ code: 'ERR_WRONG_KEY', format: 'qcow' });
  });
});
