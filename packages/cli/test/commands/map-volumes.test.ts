import { closeSync, existsSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { can, createDisks, MemoryDisk, sourceOf } from '@diskstack/core';
import { isZero } from '@diskstack/core/format';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { createQcow, qcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { beforeAll, describe, expect, test } from 'vitest';
import { groupText, linearText, pvBytes, UUIDS, volumeText } from '../../../lvm/test/support/pv-builder.ts';
import { layouts } from '../../src/session/layouts.ts';
import { describeWithQemu, qemuImg } from '../support/qemu.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

// `map` of volumes that lvm2 made, of a volume that lacks a physical volume, and of images in images.

const folder = tempFolder();
const at = (name: string): string => join(folder, name);
const fixture = (name: string): string =>
  new URL(`../../../lvm/test/fixtures/${name}`, import.meta.url).pathname;
const MIB = 1024 * 1024;
const EXTENT = 65_536;

interface Entry {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly data: boolean;
  readonly offset?: number;
  readonly file?: string;
}

function bytesOf(file: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const fd = openSync(file, 'r');
  try {
    expect(readSync(fd, bytes, 0, length, offset)).toBe(length);
  } finally {
    closeSync(fd);
  }
  return bytes;
}

describeWithQemu('map of volumes that lvm2 made, on raw files', () => {
  const names = ['a', 'b', 'c'].map((letter) => `pv-${letter}`);

  beforeAll(() => {
    for (const name of names)
      qemuImg(folder, 'convert', '-O', 'raw', fixture(`lvm-alltypes/${name}.qcow2`), `${name}.raw`);
  });

  // Physical volumes and extents of them, as `vg.txt` has them: extents of 1 MiB from byte 1 MiB on.
  test.for([
    [
      'striped3',
      4096,
      [
        ['pv-a', 15],
        ['pv-b', 4],
        ['pv-c', 0],
      ],
    ],
    [
      'striped2',
      65_536,
      [
        ['pv-a', 11],
        ['pv-b', 0],
      ],
    ],
  ] as const)('%s: each chunk is in the file of its stripe', async ([name, chunk, stripes]) => {
    const pvs = names.slice(1).flatMap((pv) => ['--pv', at(`${pv}.raw`)]);
    const entries = (await jsonOf('map', at(`pv-a.raw#lv:vgall/${name}`), ...pvs)) as Entry[];
    let end = 0;
    const seen = new Set<string>();
    for (const { start, length, data, offset = 0, file = '' } of entries) {
      expect(start).toBe(end);
      end += length;
      for (let position = start; data && position < start + length; position += chunk) {
        const number = Math.floor(position / chunk);
        const [pv, extent] = stripes[number % stripes.length] as readonly [string, number];
        const expected = MIB * (1 + extent) + Math.floor(number / stripes.length) * chunk;
        expect([file, offset + position - start - (position % chunk)]).toEqual([at(`${pv}.raw`), expected]);
        seen.add(pv);
      }
    }
    expect([...seen].sort()).toEqual(stripes.map(([pv]) => pv));
    const { stdout } = await runHere('read', '--raw', at(`pv-a.raw#lv:vgall/${name}`), ...pvs, '0', `${end}`);
    for (const { start, length, data, offset = 0, file = '' } of entries) {
      const stored = data ? bytesOf(file, offset, length) : new Uint8Array(length);
      expect(Buffer.compare(stdout.subarray(start, start + length), stored)).toBe(0);
    }
  });
});

describe('a volume on two physical volumes of which one is missing', () => {
  const text = groupText(
    volumeText('across', [
      [1, 'type = "striped" stripe_count = 1 stripes = ["pv0", 0]'],
      [1, 'type = "striped" stripe_count = 1 stripes = ["pv1", 2]'],
    ]) + linearText('whole', 'pv0', 5),
    { pvs: 2 },
  );
  const there = at('there.img');

  beforeAll(() => {
    const areas = [{ at: 4096, size: 60 * 1024, text }];
    const damage = (bytes: Uint8Array): void => void bytes.fill(0x41, EXTENT, 9 * EXTENT);
    writeFileSync(there, pvBytes({ uuid: UUIDS[0] ?? '', areas, damage }));
  });

  test.for([
    ['map', []],
    ['read', ['0', '10']],
    ['digest', []],
    ['convert', ['-O', 'raw', at('out.raw')]],
  ] as const)('%s is refused, and names what is missing', async ([command, more]) => {
    const { status, stdout, stderr } = await runHere(command, `${there}#lv:vg/across`, ...more);
    expect(status).toBe(1);
    expect(stdout.toString()).toBe('');
    expect(stderr).toMatch(
      /^diskstack: ERR_NOT_FOUND: .*the physical volume "pv1" \("bbbbbb-bbbb-.*"\) is missing/,
    );
    expect(existsSync(at('out.raw'))).toBe(false);
  });

  test('the other volumes of the group are read', async () => {
    expect(await jsonOf('map', `${there}#lv:vg/whole`)).toMatchObject([
      { start: 0, length: EXTENT, data: true, offset: 6 * EXTENT, file: there },
    ]);
    const { stdout } = await runHere('read', '--raw', `${there}#lv:vg/whole`, '0', '3');
    expect(stdout.toString()).toBe('AAA');
  });
});

describe('every place that is reported on a stack of volumes and images holds the bytes', () => {
  const disks = createDisks({
    formats: [raw, qcow, qcow2],
    drivers: [fileDriver()],
    codecs: zlibCodecs,
    layouts,
  });

  async function checkPlaces(address: string, pvs: readonly string[] = []): Promise<number> {
    await using disk = await disks.openLayer(address, { pvs });
    if (!can(disk, 'extents')) throw new Error('no extents');
    let placed = 0;
    let end = 0;
    for await (const extent of disk.extents()) {
      const { offset, length, kind } = extent;
      expect(offset).toBe(end);
      end += length;
      if (kind === 'zero') expect(isZero(await disk.read(offset, length))).toBe(true);
      if (kind !== 'data' || extent.at === undefined) continue;
      placed += length;
      const stored = await sourceOf(disk, extent).read(extent.at, length);
      expect(Buffer.compare(stored, await disk.read(offset, length)), `at ${offset}`).toBe(0);
    }
    expect(end).toBe(disk.size());
    return placed;
  }

  const LUN = fixture('appliance-small/lun.qcow2');
  const VG = `${LUN}#lv:6f1c8b1e-0000-4000-8000-0000000000a1`;
  const TOP = `${VG}/bbbb0000-0000-4000-8000-000000000002`;
  const OTHER = `${VG}/dddd0000-0000-4000-8000-000000000003`;

  test.for([
    ['an overlay in a volume, on an image in another volume', `${TOP}/qcow2`, []],
    ['a partition of it', `${TOP}/qcow2/p4`, []],
    ['a volume on that partition and on another volume', `${TOP}/qcow2/p4/lv:vg_guest/root`, [OTHER]],
    ['a volume that is striped over both', `${TOP}/qcow2/p4/lv:vg_guest/stripe`, [OTHER]],
  ] as const)('%s', async ([, address, pvs]) => {
    expect(await checkPlaces(address, pvs)).toBeGreaterThan(0);
  });

  /** A disk with one partition from 1 MiB on. */
  function partitioned(content: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(MIB + content.length);
    const view = new DataView(bytes.buffer);
    bytes[446 + 4] = 0x83;
    view.setUint32(446 + 8, 2048, true);
    view.setUint32(446 + 12, content.length / 512, true);
    view.setUint16(510, 0xaa55, true);
    bytes.set(content, MIB);
    return bytes;
  }

  async function inQcow2(content: Uint8Array): Promise<Uint8Array> {
    const file = new MemoryDisk(new Uint8Array(0));
    await file.init();
    await createQcow(file, { size: content.length });
    await using disk = await createDisks({ formats: [qcow2] }).open(file, {
      format: 'qcow2',
      mountMode: 'rw',
    });
    await disk.write(0, content);
    await disk.close();
    return file.bytes.slice();
  }

  test('a volume in a partition of an image in a partition of an image', async () => {
    const text = groupText(linearText('root', 'pv0', 2, 3));
    const areas = [{ at: 4096, size: 60 * 1024, text }];
    const damage = (bytes: Uint8Array): void => {
      for (let byte = EXTENT; byte < bytes.length; byte++) bytes[byte] = 1 + (byte % 251);
    };
    const pv = pvBytes({ uuid: UUIDS[0] ?? '', areas, damage });
    writeFileSync(at('nest.qcow2'), await inQcow2(partitioned(await inQcow2(partitioned(pv)))));
    const inner = `${at('nest.qcow2')}#p1/qcow2`;
    expect(await checkPlaces(`${inner}/p1/lv:vg/root`)).toBe(3 * EXTENT);
    expect(await checkPlaces(`${inner}/p1`)).toBeGreaterThan(3 * EXTENT);

    // The bytes of the inner partition are in the outer one, at the offset that `map` reports.
    const entries = (await jsonOf('map', `${inner}/p1/lv:vg/root`)) as Entry[];
    const { stdout } = await runHere('read', '--raw', `${inner}/p1/lv:vg/root`, '0', `${3 * EXTENT}`);
    expect(entries.reduce((sum, { length }) => sum + length, 0)).toBe(3 * EXTENT);
    for (const { start, length, offset = 0 } of entries) {
      const stored = await runHere('read', '--raw', `${at('nest.qcow2')}#p1`, `${offset}`, `${length}`);
      expect(Buffer.compare(stored.stdout, stdout.subarray(start, start + length))).toBe(0);
    }
  });
});
