import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { can, createDisks, sourceOf } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { qcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { beforeAll, expect, test } from 'vitest';
import { groupText, linearText, pvBytes, UUIDS, volumeText } from '../../../lvm/test/support/pv-builder.ts';
import { layouts } from '../../src/session/layouts.ts';
import { counting } from '../support/images.ts';
import { describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

// Where `extents` and `map` say that bytes are, they are: on every kind of stack.
const folder = tempFolder();
const at = (name: string): string => join(folder, name);
const EXTENT = 65_536;
const disks = createDisks({
  formats: [raw, qcow, qcow2],
  drivers: [fileDriver()],
  codecs: zlibCodecs,
  layouts,
});

const image = (name: string, pv: string, extent: number): string => linearText(name, pv, extent);
const TEXT = groupText(
  volumeText('across', [
    [2, 'type = "striped" stripe_count = 1 stripes = ["pv0", 0]'],
    [1, 'type = "striped" stripe_count = 1 stripes = ["pv1", 2]'],
  ]) +
    volumeText('striped', [
      [2, 'type = "striped" stripe_count = 2 stripe_size = 8 stripes = ["pv0", 3, "pv1", 3]'],
    ]) +
    [0, 1, 2]
      .map(
        (index) => image(`r_rmeta_${index}`, `pv${index}`, 4) + image(`r_rimage_${index}`, `pv${index}`, 5),
      )
      .join('') +
    volumeText('raid', [
      [
        2,
        'type = "raid5" device_count = 3 stripe_size = 8 raids = ["r_rmeta_0", "r_rimage_0", "r_rmeta_1", "r_rimage_1", "r_rmeta_2", "r_rimage_2"]',
      ],
    ]),
  { pvs: 3 },
);

function pv(number: number): Uint8Array {
  const damage = (bytes: Uint8Array): void => {
    const view = new DataView(bytes.buffer);
    for (let byte = EXTENT; byte < bytes.length; byte++) bytes[byte] = (byte >>> 9) * 7 + byte + number * 31;
    const meta = 5 * EXTENT;
    bytes.fill(0, meta, meta + 512);
    view.setUint32(meta, 0x64526d44, true);
    view.setUint32(meta + 12, number, true);
    view.setBigUint64(meta + 32, 2n ** 64n - 1n, true);
    view.setBigUint64(meta + 40, 2n ** 64n - 1n, true);
  };
  return pvBytes({ uuid: UUIDS[number] ?? '', areas: [{ at: 4096, size: 60 * 1024, text: TEXT }], damage });
}

/** A disk with one partition from 1 MiB on. */
function partitioned(content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1024 * 1024 + content.length);
  const view = new DataView(bytes.buffer);
  bytes[446 + 4] = 0x83;
  view.setUint32(446 + 8, 2048, true);
  view.setUint32(446 + 12, content.length / 512, true);
  view.setUint16(510, 0xaa55, true);
  bytes.set(content, 1024 * 1024);
  return bytes;
}

describeWithQemu('every place that is told holds the bytes', () => {
  beforeAll(() => {
    for (const number of [0, 1, 2]) writeFileSync(at(`pv${number}.img`), pv(number));
    qemuImg(folder, 'convert', '-f', 'raw', '-O', 'qcow2', 'pv1.img', 'pv1.qcow2');
    writeFileSync(at('part.img'), partitioned(counting(EXTENT)));
    qemuImg(folder, 'convert', '-f', 'raw', '-O', 'qcow2', 'part.img', 'part.qcow2');
    qemuImg(folder, 'create', '-q', '-f', 'qcow2', '-o', 'data_file=data.raw', 'split.qcow2', '1M');
    qemuIo(
      folder,
      'split.qcow2',
      'qcow2',
      'write -P 1 64k 64k',
      'write -P 2 256k 64k',
      'write -P 3 128k 64k',
    );
    qemuImg(folder, 'create', '-q', '-f', 'qcow2', '-b', 'split.qcow2', '-F', 'qcow2', 'top.qcow2');
    qemuIo(folder, 'top.qcow2', 'qcow2', 'write -P 4 192k 64k');
  });

  const pvs = (one: string): string[] => ['pv0.img', one, 'pv2.img'].map(at);
  const stacks: readonly (readonly [string, string, readonly string[]])[] = [
    ['a raw image', 'part.img', []],
    ['a chain on an image with a data file', 'top.qcow2', []],
    ['a partition', 'part.img#p1', []],
    ['a partition of an image', 'part.qcow2#p1', []],
    ['an image read as raw bytes', 'part.qcow2#raw', []],
    ['a volume on two disks', 'pv0.img#lv:vg/across', pvs('pv1.img')],
    ['a volume on a disk in an image', 'pv0.img#lv:vg/across', pvs('pv1.qcow2')],
    ['a striped volume', 'pv0.img#lv:vg/striped', pvs('pv1.qcow2')],
    ['a RAID set', 'pv0.img#lv:vg/raid', pvs('pv1.img')],
    ['a RAID set that lacks an image', 'pv0.img#lv:vg/raid', [at('pv2.img')]],
  ];

  test.for(stacks)('%s', async ([title, address, more]) => {
    await using disk = await disks.openLayer(at(address), { pvs: more });
    let places = 0;
    let computed = 0;
    if (!can(disk, 'extents')) throw new Error('no extents');
    for await (const extent of disk.extents()) {
      const { offset, length, kind } = extent;
      if (kind !== 'data') continue;
      if (extent.at === undefined) {
        computed += length;
        continue;
      }
      places++;
      const source = sourceOf(disk, extent);
      expect([offset, await source.read(extent.at, length)]).toEqual([
        offset,
        await disk.read(offset, length),
      ]);
    }
    expect(places).toBeGreaterThan(0);
    expect(computed > 0).toBe(title.includes('lacks'));
  });

  test('an image in a partition is stored in the partition, whose name is its file', async () => {
    const content = new Uint8Array(1024 * 1024);
    writeFileSync(at('plain.raw'), content);
    qemuImg(folder, 'create', '-q', '-f', 'qcow2', 'small.qcow2', '256k');
    qemuIo(folder, 'small.qcow2', 'qcow2', 'write -P 6 64k 64k');
    content.set(readFileSync(at('small.qcow2')));
    writeFileSync(at('nest.img'), partitioned(content));
    const [, entry] = (await jsonOf('map', at('nest.img#p1/qcow2'))) as { offset: number; file?: string }[];
    const { stdout } = await runHere('read', '--raw', at('nest.img#p1'), String(entry?.offset), '1');
    expect(stdout[0]).toBe(6);
  });

  test('map names the physical volume and its offset', async () => {
    const args = [at('pv0.img#lv:vg/across'), ...pvs('pv1.img').flatMap((name) => ['--pv', name])];
    expect(await jsonOf('map', ...args)).toMatchObject([
      { start: 0, length: 2 * EXTENT, depth: 0, offset: EXTENT, file: at('pv0.img') },
      { start: 2 * EXTENT, length: EXTENT, depth: 0, offset: 3 * EXTENT, file: at('pv1.img') },
    ]);
    const table = (await runHere('map', ...args)).stdout.toString();
    expect(table).toMatch(/^0 +0x20000 +0x10000 +\S+pv0\.img$/m);
    expect(table).toMatch(/^0x20000 +0x10000 +0x30000 +\S+pv1\.img$/m);
  });

  test('neighbours on two disks are two entries, also if their offsets are adjacent', async () => {
    const text = groupText(
      volumeText('lv', [
        [1, 'type = "striped" stripe_count = 1 stripes = ["pv0", 0]'],
        [1, 'type = "striped" stripe_count = 1 stripes = ["pv1", 1]'],
      ]),
      { pvs: 2 },
    );
    for (const number of [0, 1]) {
      const areas = [{ at: 4096, size: 60 * 1024, text }];
      const damage = (bytes: Uint8Array): void => void bytes.fill(number + 1, EXTENT, 4 * EXTENT);
      writeFileSync(at(`two${number}.img`), pvBytes({ uuid: UUIDS[number] ?? '', areas, damage }));
    }
    expect(await jsonOf('map', at('two0.img#lv:vg/lv'), '--pv', at('two1.img'))).toMatchObject([
      { start: 0, length: EXTENT, offset: EXTENT, file: at('two0.img') },
      { start: EXTENT, length: EXTENT, offset: 2 * EXTENT, file: at('two1.img') },
    ]);
  });

  test('computed bytes name no file and no offset', async () => {
    const { stdout } = await runHere('map', at('pv0.img#lv:vg/raid'), '--pv', at('pv2.img'));
    expect(stdout.toString()).toMatch(/ encoded +/);
    const entries = (await jsonOf('map', at('pv0.img#lv:vg/raid'), '--pv', at('pv2.img'))) as {
      offset?: number;
      file?: string;
    }[];
    for (const { offset, file } of entries) expect(offset === undefined).toBe(file === undefined);
    expect(entries.some(({ offset }) => offset === undefined)).toBe(true);
  });
});
