import { expect, test } from 'vitest';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { identify } from '../../src/signatures/identify.ts';

const SIZE = 2 * 1024 * 1024;

test.for([
  ['xfs', 0, 'XFSB'],
  ['btrfs', 65_600, '_BHRfS_M'],
  ['ext2', 1080, '\x53\xef'],
  ['ntfs', 3, 'NTFS    '],
  ['swap', 4086, 'SWAPSPACE2'],
  ['swap', 65_526, 'SWAPSPACE2'],
  ['squashfs', 0, 'hsqs'],
  ['iso9660', 32_769, 'CD001'],
  ['LUKS1', 0, 'LUKS\xba\xbe\0\x01'],
  ['LUKS2', 0, 'LUKS\xba\xbe\0\x02'],
  ['BitLocker', 3, '-FVE-FS-'],
  ['mdraid', 4096, '\xfc\x4e\x2b\xa9'],
  ['mdraid', 0, '\xfc\x4e\x2b\xa9'],
  ['mdraid', SIZE - 8192, '\xfc\x4e\x2b\xa9'],
  ['mdraid', SIZE - 65_536, '\xfc\x4e\x2b\xa9'],
  ['bcache', 4120, '\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81'],
  ['LDM', 3072, 'PRIVHEAD'],
] as const)('%s, by its magic number at %d', async ([name, at, magic]) => {
  const bytes = new Uint8Array(SIZE);
  for (const [index, letter] of [...magic].entries()) bytes[at + index] = letter.charCodeAt(0);
  const disk = new MemoryDisk(bytes);
  await disk.init();
  const content = await identify(disk, {});
  expect(content?.name).toBe(name);
  const isLayer = ['LUKS1', 'LUKS2', 'BitLocker', 'mdraid', 'bcache', 'LDM'].includes(name);
  expect(content?.unread !== undefined).toBe(isLayer);
});

test.for([0, 1, 511, 4096])('nothing is made of %d zero bytes', async (length) => {
  const disk = new MemoryDisk(new Uint8Array(length));
  await disk.init();
  expect(await identify(disk, {})).toBeUndefined();
});
