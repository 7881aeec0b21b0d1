import { expect, test } from 'vitest';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { describeStack, drawStack } from '../../src/stack/describe.ts';
import { overlayImage } from '../support/overlay-format.ts';
import { filled, world } from '../support/stack-world.ts';

const CHAIN = {
  '/img/top': overlayImage({ base: 'middle' }),
  '/img/middle': overlayImage({ base: 'bottom', owned: 2 }),
  '/img/bottom': filled(3, 5000),
};

test('describes every layer of a chain, with the layers below it', async () => {
  const { disks } = world(CHAIN);
  await using top = await disks.open('/img/top');
  expect(describeStack(top)).toEqual({
    diskType: 'OVERLAY',
    size: 4096,
    location: '/img/top',
    info: { format: 'overlay', virtualSize: 4096 },
    downstream: { diskType: '', size: 1024, location: '/img/top' },
    base: {
      diskType: 'OVERLAY',
      size: 4096,
      location: '/img/middle',
      info: { format: 'overlay', virtualSize: 4096 },
      downstream: { diskType: '', size: 1536, location: '/img/middle' },
      base: {
        diskType: 'PLAIN',
        size: 5000,
        location: '/img/bottom',
        info: { format: 'plain', virtualSize: 5000 },
        downstream: { diskType: '', size: 5000, location: '/img/bottom' },
      },
    },
  });
});

test('draws a chain, one layer a line', async () => {
  const { disks } = world(CHAIN);
  await using top = await disks.open('/img/top');
  expect(drawStack(describeStack(top)).split('\n')).toEqual([
    'overlay "/img/top" 4096 bytes',
    '├─ in: storage "/img/top" 1024 bytes',
    '└─ on: overlay "/img/middle" 4096 bytes',
    '   ├─ in: storage "/img/middle" 1536 bytes',
    '   └─ on: plain "/img/bottom" 5000 bytes',
    '      └─ in: storage "/img/bottom" 5000 bytes',
  ]);
});

test('draws layers on layers', async () => {
  const { disks } = world({});
  const below = new MemoryDisk(overlayImage());
  await below.init();
  await using top = await disks.push(await disks.push(below, { format: 'plain' }));
  expect(drawStack(describeStack(top)).split('\n')).toEqual([
    'overlay 4096 bytes',
    '└─ in: plain 1024 bytes',
    '   └─ in: storage 1024 bytes',
  ]);
});

test('a base that was not opened is not part of the stack', async () => {
  const { disks } = world(CHAIN);
  await using top = await disks.open('/img/top', { metadataOnly: true });
  expect(describeStack(top)).not.toHaveProperty('base');
});

test('the picture quotes every name', async () => {
  const { disks } = world({ '/img/a\u001b[2J\u202e': filled(1) });
  await using disk = await disks.open('/img/a\u001b[2J\u202e');
  expect(drawStack(describeStack(disk))).toBe(
    'plain "/img/a\\u001b[2J\\u202e" 4096 bytes\n└─ in: storage "/img/a\\u001b[2J\\u202e" 4096 bytes',
  );
});
