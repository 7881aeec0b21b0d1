import { linkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { groupText, linearText, pvBytes, UUIDS, volumeText } from '../../lvm/test/support/pv-builder.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

// A group on two disks: `one` on a.img, `two` on b.img, `mirror` on both. b2.img is another state of b.img.
const folder = tempFolder();
const at = (name: string): string => join(folder, name);
const EXTENT = 65_536;
const UUID_A = UUIDS[0] ?? '';
const UUID_B = UUIDS[1] ?? '';

const hidden = (name: string, pv: string, extent: number): string =>
  volumeText(name, [[1, `type = "striped" stripe_count = 1 stripes = ["${pv}", ${extent}]`]], '"READ"');

const TEXT = groupText(
  linearText('one', 'pv0', 0) +
    linearText('two', 'pv1', 0) +
    hidden('r_rmeta_0', 'pv0', 1) +
    hidden('r_rimage_0', 'pv0', 2) +
    hidden('r_rmeta_1', 'pv1', 1) +
    hidden('r_rimage_1', 'pv1', 2) +
    volumeText('raid', [
      [1, 'type = "raid1" raids = ["r_rmeta_0", "r_rimage_0", "r_rmeta_1", "r_rimage_1"]'],
    ]),
  { pvs: 2 },
);

function pv(uuid: string, image: number, fill: number): Uint8Array {
  const damage = (bytes: Uint8Array): void => {
    const view = new DataView(bytes.buffer);
    bytes.fill(fill, EXTENT, 2 * EXTENT);
    view.setUint32(2 * EXTENT, 0x64526d44, true);
    view.setUint32(2 * EXTENT + 12, image, true);
    view.setBigUint64(2 * EXTENT + 32, 2n ** 64n - 1n, true);
    view.setBigUint64(2 * EXTENT + 40, 2n ** 64n - 1n, true);
    bytes.fill(0x77, 3 * EXTENT, 4 * EXTENT);
  };
  return pvBytes({ uuid, areas: [{ at: 4096, size: 60 * 1024, text: TEXT }], damage });
}

beforeAll(() => {
  writeFileSync(at('a.img'), pv(UUID_A, 0, 0x0a));
  writeFileSync(at('b.img'), pv(UUID_B, 1, 0x0b));
  writeFileSync(at('b2.img'), pv(UUID_B, 1, 0xb2));
  linkSync(at('b.img'), at('b-again.img'));
});

const pvs = (...names: readonly string[]): string[] => names.flatMap((name) => ['--pv', at(name)]);
const address = (disk: string, volume: string): string => `${at(disk)}#lv:vg/${volume}`;

/** The disks of a machine that has an entry with an error. */
async function treeOf(...disks: readonly string[]): Promise<unknown> {
  const { status, stdout } = await runHere('tree', ...disks, '--output', 'json');
  expect(status).toBe(1);
  return JSON.parse(stdout.toString());
}

describe('two differing copies of one physical volume', () => {
  const commands: readonly (readonly [string, (layer: string) => readonly string[]])[] = [
    ['read', (layer) => ['read', layer, '0', '16']],
    ['digest', (layer) => ['digest', layer]],
    ['convert', (layer) => ['convert', layer, at('out.raw')]],
    ['info', (layer) => ['info', layer]],
    ['map', (layer) => ['map', layer]],
    ['measure', (layer) => ['measure', '-O', 'qcow2', layer]],
  ];

  test.for(commands)('%s picks none of them, and names both', async ([, args]) => {
    for (const run of [
      [...args(address('a.img', 'two')), ...pvs('b.img', 'b2.img')],
      [...args(address('b.img', 'two')), ...pvs('a.img', 'b2.img')],
      [...args(address('b2.img', 'two')), ...pvs('b.img')],
    ]) {
      const { status, stderr } = await runHere(...run);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: expect.stringMatching(
          /^diskstack: ERR_ARGUMENT: .*"[^"]*b2?\.img" and "[^"]*b2?\.img".* \(give it with --pv IMAGE\)\n$/s,
        ),
      });
    }
  });

  test('a volume that is on neither copy is read, with a warning', async () => {
    const { status, stdout, stderr } = await runHere(
      ...['read', '--raw', address('a.img', 'one'), '0', '1', ...pvs('b.img', 'b2.img')],
    );
    expect({ status, byte: stdout[0] }).toEqual({ status: 0, byte: 0x0a });
    expect(stderr.match(/is there more than once/g)).toHaveLength(1);
  });

  test('a second name of the same file is no copy', async () => {
    const { status, stdout } = await runHere(
      ...['read', '--raw', address('a.img', 'two'), '0', '1', ...pvs('b.img', 'b-again.img')],
    );
    expect({ status, byte: stdout[0] }).toEqual({ status: 0, byte: 0x0b });
  });

  test('the caller chooses: the only named copy wins over one that is found', async () => {
    // Two partitions of one disk hold the two copies.
    const disk = new Uint8Array(4 * 1024 * 1024);
    const view = new DataView(disk.buffer);
    for (const [index, start] of [2048, 4096].entries()) {
      disk[446 + 16 * index + 4] = 0x8e;
      view.setUint32(446 + 16 * index + 8, start, true);
      view.setUint32(446 + 16 * index + 12, 2048, true);
    }
    view.setUint16(510, 0xaa55, true);
    disk.set(pv(UUID_B, 1, 0xb1), 1024 * 1024);
    disk.set(pv(UUID_B, 1, 0xb2), 2 * 1024 * 1024);
    writeFileSync(at('both.img'), disk);
    const byteOf = async (...args: readonly string[]): Promise<number | string | undefined> => {
      const { status, stdout, stderr } = await runHere('read', '--raw', ...args, '0', '1');
      return status === 0 ? stdout[0] : stderr;
    };
    expect(await byteOf(address('a.img', 'two'), '--pv', at('both.img'))).toContain('ERR_ARGUMENT');
    expect(await byteOf(address('a.img', 'two'), '--pv', at('both.img#p2'))).toBe(0xb2);
    expect(await byteOf(address('both.img#p1', 'two').replace('#lv', '/lv'), ...pvs('a.img'))).toBe(0xb1);
  });

  test('tree shows an undecided copy as an error', async () => {
    const nodes = JSON.stringify(await treeOf(at('a.img'), at('b.img'), at('b2.img')));
    expect(nodes).toContain('nothing shows which copy is current');
  });
});

test('a copy that a guest has put into its volume makes no volume of the host unreadable', async () => {
  const text = groupText(
    volumeText('guest', [[4, 'type = "striped" stripe_count = 1 stripes = ["pv0", 3]']]) +
      linearText('two', 'pv1', 0),
    { pvs: 2, name: 'host', id: 'group2' },
  );
  const areas = [{ at: 4096, size: 60 * 1024, text }];
  const copy = pvBytes({
    uuid: UUID_B,
    size: 4 * EXTENT,
    areas,
    damage: (bytes) => void bytes.fill(0xee, EXTENT),
  });
  const host = pvBytes({ uuid: UUID_A, areas, damage: (bytes) => void bytes.set(copy, 4 * EXTENT) });
  writeFileSync(at('host-a.img'), host);
  writeFileSync(
    at('host-b.img'),
    pvBytes({ uuid: UUID_B, areas, damage: (bytes) => void bytes.fill(0x0b, EXTENT) }),
  );
  const layer = `${at('host-a.img')}#lv:host/two`;
  const { status, stdout } = await runHere('read', '--raw', layer, '0', '1', ...pvs('host-b.img'));
  expect({ status, byte: stdout[0] }).toEqual({ status: 0, byte: 0x0b });
  const [disk] = (await treeOf(at('host-a.img'), at('host-b.img'))) as [
    { children: { path: string; status: string; name: string }[] },
  ];
  const two = disk.children.find(({ name }) => name === 'two');
  expect(two).toMatchObject({ path: layer, status: 'ok' });
});

describe('a RAID 1 set with one of its legs', () => {
  test('every command that reads it warns once that it is degraded', async () => {
    for (const args of [
      ['read', address('b.img', 'raid'), '0', '16'],
      ['digest', address('b.img', 'raid')],
      ['convert', address('b.img', 'raid'), at('out.raw')],
      ['compare', address('b.img', 'raid'), address('b.img', 'raid')],
      ['info', address('b.img', 'raid')],
    ]) {
      const { status, stderr } = await runHere(...args);
      expect([
        args[0],
        status,
        stderr.match(/^diskstack: warning: .* is degraded: image 0 is missing/gm),
      ]).toEqual([args[0], 0, [expect.anything()]]);
    }
  });

  test('tree shows that as a fact', async () => {
    const [disk] = (await treeOf(at('b.img'))) as [{ children: { name: string; degraded?: boolean }[] }];
    expect(disk.children.map(({ name, degraded }) => [name, degraded])).toContainEqual(['raid', true]);
    expect((await runHere('tree', at('b.img'))).stdout.toString()).toMatch(/raid .*degraded; warning: /);
  });

  test('with both legs there is no warning', async () => {
    const { status, stderr } = await runHere('digest', address('b.img', 'raid'), ...pvs('a.img'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
