import { expect, test } from 'vitest';
import type { DiskModule } from '../../src/contracts/disk-module.ts';
import type { VolumeLayout } from '../../src/contracts/volume-layout.ts';
import { borrow } from '../../src/disks/borrowed-disk.ts';
import { SliceDisk } from '../../src/disks/slice-disk.ts';
import { createDisks } from '../../src/disks.ts';
import { DiskError } from '../../src/errors/disk-error.ts';
import { diskErrorOf, pattern, spyDriver } from '../../src/testing/index.ts';
import { decodeStep, encodeStep } from '../../src/volumes/layer-path.ts';
import type { TreeNode } from '../../src/volumes/tree-node.ts';
import { type Entry, memoryDriver } from '../support/memory-driver.ts';
import { BLOCK, overlay, overlayImage, plain } from '../support/overlay-format.ts';
import { filled } from '../support/stack-world.ts';

const text = new TextEncoder();

/** A toy table: `TABL`, then for each partition its start and size in blocks, up to a zero size. */
const table: VolumeLayout = {
  name: 'table',
  title: 'a toy table',
  async find([member], _context, io) {
    if (member === undefined) return [];
    const { disk } = member;
    const head = await disk.read(0, 64, io);
    if (!startsWith(head, 'TABL')) return [];
    const volumes = [];
    for (let at = 4, number = 1; (head[at + 1] ?? 0) > 0; at += 2, number++) {
      const [start, size] = [(head[at] ?? 0) * BLOCK, (head[at + 1] ?? 0) * BLOCK];
      volumes.push({
        kind: 'partition' as const,
        layer: `p${number}`,
        type: 'toy',
        start,
        size,
        status: 'ok' as const,
        facts: { number },
        open: () => opened(new SliceDisk(borrow(disk), start, size)),
      });
    }
    return [{ layout: 'table', members: [0], volumes }];
  },
};

/** A toy group over two disks, `GRUP`, its name and 1 or 2: one volume, which is the second block and what follows of disk 1. */
const group: VolumeLayout = {
  name: 'group',
  title: 'a toy group',
  joins: ({ head }) => startsWith(head, 'GRUP'),
  async find(members) {
    const heads = await Promise.all(members.map(({ disk }) => disk.read(0, 6)));
    const names = new Set(heads.filter((head) => startsWith(head, 'GRUP')).map((head) => head[4]));
    return [...names].map((code = 0) => {
      const name = String.fromCharCode(code);
      const index = (part: number): number =>
        heads.findIndex((head) => startsWith(head, 'GRUP') && head[4] === code && head[5] === part);
      const on = [index(1), index(2)];
      const first = members[on[0] ?? -1];
      const isWhole = on.every((at) => at >= 0);
      const volume = {
        kind: 'lv' as const,
        layer: `lv:${name}/v`,
        device: `/dev/${name}/v`,
        type: 'linear',
        name: 'v',
        size: 8 * BLOCK,
        status: isWhole ? ('ok' as const) : ('error' as const),
        reason: isWhole ? undefined : 'a disk is missing',
        async open() {
          if (!isWhole || first === undefined) throw new DiskError('ERR_NOT_FOUND', 'a disk is missing');
          return opened(new SliceDisk(borrow(first.disk), BLOCK, 8 * BLOCK));
        },
      };
      return { layout: 'group', name, members: on.filter((at) => at >= 0), volumes: [volume] };
    });
  },
};

async function opened(disk: DiskModule): Promise<DiskModule> {
  await disk.init();
  return disk;
}

function startsWith(bytes: Uint8Array, magic: string): boolean {
  return text.encode(magic).every((byte, index) => bytes[index] === byte);
}

/** Parts of a disk, each at a block of its own. */
function disk(blocks: number, parts: Readonly<Record<number, Uint8Array>>): Uint8Array {
  const bytes = new Uint8Array(blocks * BLOCK);
  for (const [block, part] of Object.entries(parts)) bytes.set(part, Number(block) * BLOCK);
  return bytes;
}

const head = (magic: string, ...numbers: number[]): Uint8Array =>
  Uint8Array.of(...text.encode(magic), ...numbers);

function world(entries: Readonly<Record<string, Entry>>) {
  const driver = spyDriver(memoryDriver(entries));
  return {
    driver,
    disks: createDisks({ formats: [plain, overlay], drivers: [driver], layouts: [table, group] }),
  };
}

const outline = (nodes: readonly TreeNode[]): unknown[] =>
  nodes.map(({ path, status, children }) =>
    children.length === 0 ? `${path} ${status}` : [`${path} ${status}`, ...outline(children)],
  );

const MEMBER_1 = disk(16, { 0: head('GRUP', 65, 1), 1: overlayImage({ base: '/dev/Z/v', fill: 9 }) });
const MEMBER_2 = disk(16, { 0: head('GRUP', 65, 2) });
const PARTITIONED = disk(40, { 0: head('TABL', 4, 16, 20, 16), 4: MEMBER_1, 20: MEMBER_2 });

test('a tree lists partitions and the groups on them, and leaves nothing open', async () => {
  const { disks, driver } = world({ '/a': PARTITIONED });
  expect(outline(await disks.tree(['/a']))).toEqual([
    ['/a ok', ['/a#p1 ok', ['/a#p1/lv:A/v ok', '/a#p1/lv:A/v/overlay error']], '/a#p2 ok'],
  ]);
  expect(driver.openDisks).toBe(0);
});

test('groups are found over several files, once each', async () => {
  const { disks } = world({ '/a': MEMBER_2, '/b': MEMBER_1 });
  const nodes = await disks.tree(['/a', '/b']);
  expect(outline(nodes)).toEqual([['/a ok', ['/a#lv:A/v ok', '/a#lv:A/v/overlay error']], '/b ok']);
  expect(nodes[1]?.facts).toMatchObject({ group: { name: 'A', listedAt: '/a' } });
});

test('a volume reports which disk its group lacks', async () => {
  const { disks } = world({ '/b': MEMBER_1 });
  const [node] = await disks.tree(['/b']);
  expect(node?.children[0]).toMatchObject({
    path: '/b#lv:A/v',
    status: 'error',
    reason: 'a disk is missing',
  });
});

test('a layer opens by its address, its group by partitions of the same disk', async () => {
  const { disks, driver } = world({ '/a': PARTITIONED });
  const volume = await disks.openLayer('/a#p1/lv:A/v');
  expect(await volume.read(0, 4)).toEqual(head('OVLY'));
  await volume.close();
  expect(driver.openDisks).toBe(0);
});

test('the caller names further disks of a group, which are opened once', async () => {
  const { disks, driver } = world({
    '/a': MEMBER_1,
    '/b': disk(40, { 0: head('TABL', 4, 16), 4: MEMBER_2 }),
  });
  expect((await diskErrorOf(() => disks.openLayer('/a#lv:A/v'))).code).toBe('ERR_NOT_FOUND');
  const volume = await disks.openLayer('/a#lv:A/v', { pvs: ['/b#p1'] });
  expect(await volume.read(0, 4)).toEqual(head('OVLY'));
  expect(driver.openPaths.toSorted()).toEqual(['/a', '/b']);
  await volume.close();
  expect(driver.openDisks).toBe(0);
});

test('a named disk of a group that does not exist is an error, on each call', async () => {
  const { disks, driver } = world({
    '/a': MEMBER_1,
    '/b': disk(40, { 0: head('TABL', 4, 16), 4: MEMBER_2 }),
  });
  {
    await using machine = disks.machine(['/a', '/b'], { pvs: ['/b#p9'] });
    for (let time = 0; time < 2; time++)
      expect((await diskErrorOf(() => machine.open('/a#lv:A/v'))).reason).toContain('p9');
  }
  expect(driver.openDisks).toBe(0);
});

test('an image in a volume opens a volume of its machine, and no file of the host', async () => {
  const backing = disk(16, { 0: head('GRUP', 90, 1), 1: filled(7) });
  const files = {
    '/top': MEMBER_1,
    '/second': MEMBER_2,
    '/z1': backing,
    '/z2': disk(16, { 0: head('GRUP', 90, 2) }),
    '/secret': filled(1),
    '/dev/Z/v': filled(2),
  };
  const { disks } = world(files);
  const machine = disks.machine(['/top', '/second', '/z1', '/z2']);
  await machine.tree();
  const image = await machine.open('/top#lv:A/v/overlay');
  expect((await image.read(BLOCK, 1))[0]).toBe(7);
  await image.close();
  await machine.close();

  const thief = disk(16, { 0: head('GRUP', 65, 1), 1: overlayImage({ base: '/secret' }) });
  const other = world({ ...files, '/top': thief }).disks;
  const error = await diskErrorOf(() => other.openLayer('/top#lv:A/v/overlay', { pvs: ['/second'] }));
  expect(error.code).toBe('ERR_BACKING_DENIED');
});

test('a table that contains itself ends', async () => {
  const { disks } = world({ '/a': disk(8, { 0: head('TABL', 0, 8) }) });
  expect(outline(await disks.tree(['/a']))).toEqual([['/a ok', '/a#p1 ok']]);
});

test('the number of layers, and how deep they go, have limits', async () => {
  const files = { '/a': PARTITIONED };
  const few = createDisks({
    formats: [plain],
    drivers: [memoryDriver(files)],
    layouts: [table],
    limits: { maxTreeNodes: 1 },
  });
  expect(await few.tree(['/a'])).toMatchObject([
    { status: 'error', reason: expect.stringContaining('maxTreeNodes') },
  ]);
  const flat = createDisks({
    formats: [plain],
    drivers: [memoryDriver(files)],
    layouts: [table],
    limits: { maxTreeDepth: 1 },
  });
  expect(await flat.tree(['/a'])).toMatchObject([
    { status: 'ok', children: [{ status: 'error', reason: expect.stringContaining('maxTreeDepth') }, {}] },
  ]);
});

test('an abort ends the walk', async () => {
  const { disks } = world({ '/a': PARTITIONED });
  const error = await diskErrorOf(() => disks.tree(['/a'], { signal: AbortSignal.abort() }));
  expect(error.code).toBe('ERR_ABORTED');
});

/** A container with more members than anybody lists: each is a block, found by its name. */
const container: VolumeLayout = {
  name: 'container',
  title: 'a container',
  find: async () => [],
  async step({ disk }, step) {
    const block = /^block (\d+)$/.exec(decodeStep(step)?.replace('/', ' ') ?? '')?.[1];
    if (block === undefined || (Number(block) + 1) * BLOCK > disk.size()) return undefined;
    return {
      kind: 'member',
      layer: encodeStep(`block/${block}`),
      type: 'block',
      size: BLOCK,
      status: 'ok',
      open: () => opened(new SliceDisk(borrow(disk), Number(block) * BLOCK, BLOCK)),
    };
  },
};

test('a layer that its layout does not list is found when an address leads there', async () => {
  const bytes = pattern(8 * BLOCK);
  const driver = memoryDriver({ '/c': bytes });
  const disks = createDisks({ formats: [plain], drivers: [driver], layouts: [container] });
  await using member = await disks.openLayer('/c#block%2F3');
  expect(await member.read(0, 16)).toEqual(bytes.subarray(3 * BLOCK, 3 * BLOCK + 16));
  expect((await diskErrorOf(() => disks.openLayer('/c#block%2F8'))).code).toBe('ERR_NOT_FOUND');
  expect((await diskErrorOf(() => disks.openLayer('/c#block%2'))).code).toBe('ERR_NOT_FOUND');
});
