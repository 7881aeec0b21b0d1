import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { random } from '../support/content.ts';
import { openPath } from '../support/image-folder.ts';
import { keyed } from '../support/keys.ts';
import { DEFAULT_LUKS } from '../support/luks.ts';
import { compareWithQemu, expectSameBytes } from '../support/matrix.ts';
import { infoOf } from '../support/open.ts';
import {
  convertSource,
  convertWithQemu,
  describeWithQemu,
  encryptedSource,
  qemuImg,
} from '../support/qemu.ts';
import { type Deed, deeds, KiB, MiB, makeImage, qcow2Kind } from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

const DEEDS: readonly Deed[] = ['plain', 'part', 'zero', 'unmap', 'discard'];

const KINDS = [
  qcow2Kind('1.1', 4 * KiB, 'data_file=DATA'),
  qcow2Kind('1.1', 64 * KiB, 'data_file=DATA'),
  qcow2Kind('1.1', 64 * KiB, 'data_file=DATA,data_file_raw=on'),
  qcow2Kind('1.1', 16 * KiB, 'data_file=DATA,extended_l2=on'),
  qcow2Kind('1.1', 64 * KiB, 'data_file=DATA,preallocation=metadata'),
];

/** The kind with its data file in this folder: qemu resolves a relative name in its working folder. */
function inFolder(kind: (typeof KINDS)[number], folder: string, name = 'data') {
  return { ...kind, options: kind.options.replace('DATA', join(folder, name)) };
}

describeWithQemu('external data files by qemu-img', () => {
  const temp = tempFolder();
  for (const [index, kind] of KINDS.entries()) {
    const size = 3 * MiB + 512 * 3;
    compareWithQemu({
      name: kind.label,
      format: 'qcow2',
      build: async () => {
        const folder = await temp.next();
        const commands = ['write -q -s TEXT 0 100k', ...deeds(random(40 + index), kind, size, DEEDS)];
        return makeImage(folder, { name: 'disk', kind: inFolder(kind, folder), size, commands });
      },
    });
  }

  test('a raw data file has the bytes of the disk', async () => {
    const folder = await temp.next();
    const kind = inFolder(qcow2Kind('1.1', 64 * KiB, 'data_file=DATA,data_file_raw=on'), folder);
    const commands = deeds(random(60), kind, MiB, DEEDS);
    const path = await makeImage(folder, { name: 'disk', kind, size: MiB, commands });
    await using disk = await openPath(path);
    await expectSameBytes(disk, await readFile(join(folder, 'data')));
    expect(infoOf(disk).specific?.data).toMatchObject({
      'data-file': join(folder, 'data'),
      'data-file-raw': true,
    });
  });

  test('an overlay stands on an image with a data file, and both may have one', async () => {
    const folder = await temp.next();
    const kind = qcow2Kind('1.1', 4 * KiB, 'data_file=DATA');
    const recipe = { kind: inFolder(kind, folder, 'below'), size: MiB };
    await makeImage(folder, { ...recipe, name: 'base', commands: ['write -q -s NOISE 0 700k'] });
    const backing = { name: 'base', format: 'qcow2' };
    const above = { kind: inFolder(kind, folder, 'above'), size: 2 * MiB, backing };
    const commands = ['write -q -s TEXT 5k 100k', 'write -q -z 300k 64k'];
    const path = await makeImage(folder, { ...above, name: 'disk', commands });
    await using disk = await openPath(path);
    await expectSameBytes(disk, await convertWithQemu(path, 'qcow2'));
  });

  test('info tells what qemu-img tells', async () => {
    const folder = await temp.next();
    const path = await makeImage(folder, {
      name: 'disk',
      kind: inFolder(qcow2Kind('1.1', 64 * KiB, 'data_file=DATA'), folder),
      size: MiB,
    });
    const theirs = JSON.parse(await qemuImg('info', '--output', 'json', path)) as Record<string, unknown>;
    await using disk = await openPath(path);
    expect(infoOf(disk).specific).toEqual(theirs['format-specific']);
  });

  test('clusters of an encrypted image are decrypted by their place in the data file', async () => {
    const folder = await temp.next();
    const kind = inFolder(qcow2Kind('1.1', 64 * KiB, `data_file=DATA,${DEFAULT_LUKS}`), folder);
    const secret = 'open sesame';
    const commands = ['write -q -s TEXT 0 100k', 'write -q -s NOISE 500k 90k'];
    const path = await makeImage(folder, { name: 'disk', kind, size: MiB, secret, commands });
    await using disk = await openPath(path, { services: keyed(secret) });
    await expectSameBytes(disk, await convertSource(encryptedSource(path, 'qcow2', secret)));
  });
});
