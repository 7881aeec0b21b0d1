import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDisks, type DiskModule } from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { diskErrorOf } from '@diskstack/core/testing';
import { qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { expect, test } from 'vitest';
import { type Check, type ConvertCheck, differences, type Expected } from './support/checks.ts';
import { flat, tableOf } from './support/find.ts';
import { tempFolder } from './support/temp-folder.ts';

// 33 disks with every kind of table, made by sfdisk, parted and sgdisk or by hand, and the partitions that these tools list.
const fixtures = new URL('./fixtures/partitions/', import.meta.url).pathname;
const folder = tempFolder();
execFileSync('tar', ['xzf', join(fixtures, 'disks.tar.gz'), '-C', folder]);
const { checks } = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as Expected;
const disks = createDisks({ formats: [raw, qcow2], drivers: [fileDriver()] });
const open = (file: string): Promise<DiskModule> => disks.open(join(folder, file));

const isConvert = (check: Check): check is ConvertCheck => check.verb === 'convert';

test.for(checks.flatMap((check) => (check.verb === 'tree' ? [[check.id, check] as const] : [])))(
  '%s',
  async ([, check]) => {
    await using disk = await open(check.files[0]);
    expect(differences(await tableOf(disk), check)).toEqual([]);
  },
);

test.for(checks.filter(isConvert).map((check) => [check.id, check] as const))('%s', async ([, check]) => {
  await using disk = await open(check.file);
  const volume = flat(await tableOf(disk)).find(({ layer }) => layer === check.layer);
  if (check.expect.outcome === 'error') {
    expect(await diskErrorOf(() => volume?.open())).toMatchObject({ code: 'ERR_CORRUPT' });
    return;
  }
  await using partition = await volume?.open();
  expect(partition?.size()).toBe(check.expect.size);
  const hash = createHash('sha256');
  for (let at = 0; at < check.expect.size; at += 1 << 20)
    hash.update((await partition?.read(at, 1 << 20)) ?? '');
  expect(hash.digest('hex')).toBe(check.expect.sha256);
});
