import { type BigIntStats, linkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fileIdentity, identityOfStats } from '../../../src/node/identity/file-identity.ts';
import { FileDisk, fileDriver } from '../../../src/node/index.ts';
import { diskErrorOf } from '../../../src/testing/index.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

test('every name of a file has one identity, for the driver and for the claim of a writer alike', async () => {
  writeFileSync(at('disk.img'), new Uint8Array(512));
  writeFileSync(at('other.img'), new Uint8Array(512));
  linkSync(at('disk.img'), at('hard'));
  symlinkSync('disk.img', at('soft'));
  const driver = fileDriver();
  await using writer = new FileDisk(at('disk.img'), { writable: true });
  await writer.init();
  for (const name of ['disk.img', 'hard', 'soft']) {
    expect(fileIdentity(at(name))).toBe(fileIdentity(at('disk.img')));
    expect(await driver.identity(at(name))).toBe(fileIdentity(at('disk.img')));
    expect((await diskErrorOf(() => new FileDisk(at(name), { writable: true }).init())).code).toBe(
      'ERR_LOCKED',
    );
  }
  expect(fileIdentity(at('other.img'))).not.toBe(fileIdentity(at('disk.img')));
  expect(fileIdentity(at('missing'))).toBeUndefined();
});

test('a device is one by its number, and not by its node', () => {
  const node = (dev: bigint, ino: bigint, rdev: bigint): BigIntStats =>
    ({ dev, ino, rdev, isBlockDevice: () => true }) as BigIntStats;
  expect(identityOfStats(node(1n, 2n, 7n))).toBe(identityOfStats(node(3n, 4n, 7n)));
  expect(identityOfStats(node(1n, 2n, 7n))).not.toBe(identityOfStats(node(1n, 2n, 8n)));
});

test('close waits for a flush that is under way', async () => {
  writeFileSync(at('flushed.img'), new Uint8Array(512));
  const disk = new FileDisk(at('flushed.img'), { writable: true });
  await disk.init();
  await disk.write(0, new Uint8Array(512).fill(1));
  const order: string[] = [];
  const flushing = disk.flush().then(() => order.push('flushed'));
  const closing = disk.close().then(() => order.push('closed'));
  await Promise.all([flushing, closing]);
  expect(order).toEqual(['flushed', 'closed']);
  expect((await diskErrorOf(() => disk.flush())).code).toBe('ERR_STATE');
});
