import { expect, test } from 'vitest';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { recognise, recogniseIn } from '../../src/probe/recognise.ts';
import { SIGNATURES } from '../../src/probe/signatures.ts';
import { readProbeWindow } from '../../src/probe/window.ts';
import { faultDisk, pattern, patternDisk } from '../../src/testing/index.ts';
import { contentOf } from '../../src/volumes/layer.ts';

const SIZE = 2 * 1024 * 1024;

type Place = readonly [at: number, magic: string];

async function diskWith(size: number, ...places: readonly Place[]): Promise<MemoryDisk> {
  const bytes = new Uint8Array(size);
  for (const [at, magic] of places)
    for (const [index, letter] of [...magic].entries()) bytes[at + index] = letter.charCodeAt(0);
  const disk = new MemoryDisk(bytes);
  await disk.init();
  return disk;
}

const names = (found: readonly { name: string; at: number }[]): (string | number)[][] =>
  found.map(({ name, at }) => [name, at]);

const KINDS: readonly (readonly [kind: string, names: readonly string[]])[] = [
  ['container', ['LUKS1', 'LUKS2', 'BitLocker', 'mdraid', 'bcache', 'LDM', 'VMFS', 'DDF', 'ISW']],
  ['image', ['vhd', 'dmg']],
  ['archive', ['gzip']],
];

test.for([
  ['xfs', 0, 'XFSB'],
  ['btrfs', 65_600, '_BHRfS_M'],
  ['ext2', 1080, '\x53\xef'],
  ['ntfs', 3, 'NTFS    '],
  ['swap', 4086, 'SWAPSPACE2'],
  ['swap', 65_526, 'SWAPSPACE2'],
  ['ufs', 66_908, '\x19\x01\x54\x19'],
  ['squashfs', 0, 'hsqs'],
  ['iso9660', 32_769, 'CD001'],
  ['iso9660', 0x9001, 'CD001'],
  ['minix', 1040, '\x68\x24'],
  ['LUKS1', 0, 'LUKS\xba\xbe\0\x01'],
  ['LUKS2', 0, 'LUKS\xba\xbe\0\x02'],
  ['BitLocker', 3, '-FVE-FS-'],
  ['mdraid', 4096, '\xfc\x4e\x2b\xa9'],
  ['mdraid', 0, '\xfc\x4e\x2b\xa9'],
  ['mdraid', SIZE - 8192, '\xfc\x4e\x2b\xa9'],
  ['mdraid', SIZE - 65_536, '\xfc\x4e\x2b\xa9'],
  ['bcache', 4120, '\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81'],
  ['LDM', 3072, 'PRIVHEAD'],
  ['VMFS', 1024 * 1024, '\x0d\xd0\x01\xc0'],
  ['DDF', SIZE - 512, '\xde\x11\xde\x11'],
  ['ISW', SIZE - 1024, 'Intel Raid ISM Cfg Sig. '],
  ['vhd', SIZE - 512, 'conectix'],
  ['dmg', SIZE - 512, 'koly'],
  ['gzip', 0, '\x1f\x8b\x08'],
] as const)('%s, by its magic number at %d', async ([name, at, magic]) => {
  const content = contentOf(await recognise(await diskWith(SIZE, [at, magic])));
  expect(content).toMatchObject({ name, at });
  expect(content?.kind).toBe(KINDS.find(([, all]) => all.includes(name))?.[0] ?? 'file-system');
});

test.for([0, 1, 511, 4096])('nothing is made of %d zero bytes', async (length) => {
  expect(await recognise(await diskWith(length))).toEqual([]);
});

test('every row of the table is found where it says, on disks whose ends do not line up', async () => {
  for (const size of [SIZE, SIZE + 513, 70_001 + 65_536]) {
    for (const { name, title, kind, magic, text } of SIGNATURES) {
      if (text !== undefined) continue;
      const places = magic.map(({ at, bytes }): Place => {
        const place = typeof at === 'number' ? (at < 0 ? size + at : at) : at(size);
        return [place, String.fromCharCode(...bytes)];
      });
      if (places.some(([at, bytes]) => at + bytes.length > size)) continue;
      const found = await recognise(await diskWith(size, ...places));
      expect(
        found.map((one) => [one.title, one.kind, one.at]),
        name,
      ).toContainEqual([title, kind, places[0]?.[0]]);
    }
  }
});

test('a disk may have several faces, each at its byte; what contains others comes first', async () => {
  const disk = await diskWith(
    SIZE,
    [0, 'QFI\xfb'],
    [510, '\x55\xaa'],
    [512, 'EFI PART'],
    [1080, '\x53\xef'],
    [0x8801, 'CD001'],
    [SIZE - 65_536, '\xfc\x4e\x2b\xa9'],
    [SIZE - 512, 'koly'],
  );
  const found = await recognise(disk);
  expect(names(found)).toEqual([
    ['qcow2', 0],
    ['dmg', SIZE - 512],
    ['mbr', 510],
    ['gpt', 512],
    ['mdraid', SIZE - 65_536],
    ['ext2', 1080],
    ['iso9660', 0x8801],
  ]);
  expect(contentOf(found)?.title).toBe('a member of a Linux software RAID (mdraid 0.90)');
  expect(contentOf(found.filter(({ kind }) => kind !== 'container'))?.name).toBe('ext2');
  expect(contentOf(found.filter(({ kind }) => kind === 'table'))).toBeUndefined();
});

test('all the parts of a mark have to be there', async () => {
  expect(names(await recognise(await diskWith(SIZE, [54, 'FAT16   '])))).toEqual([]);
  const fat: readonly Place[] = [
    [54, 'FAT16   '],
    [510, '\x55\xaa'],
  ];
  expect(names(await recognise(await diskWith(SIZE, ...fat)))).toEqual([
    ['mbr', 510],
    ['fat', 54],
  ]);
});

test('a VMDK descriptor is a text', async () => {
  for (const text of ['# Disk DescriptorFile\nversion=1', '\n# comment\n\r\nversion=3\r\n'])
    expect(names(await recognise(await diskWith(600, [0, text])))).toEqual([['vmdk', 0]]);
  for (const text of ['version=1.0', 'x\nversion=1', 'version=\n'])
    expect(names(await recognise(await diskWith(600, [0, text])))).toEqual([]);
});

test('both ends are read once, and two places between them', async () => {
  const below = faultDisk(patternDisk(SIZE + 100));
  await below.init();
  await recognise(below);
  expect(below.reads).toBe(4);
  const small = faultDisk(patternDisk(68 * 1024));
  await small.init();
  await recognise(small);
  expect(small.reads).toBe(1);
});

test('a probe window shows what is in it, of the kinds that are asked for', async () => {
  const disk = await diskWith(
    SIZE,
    [0, 'KDMV'],
    [1080, '\x53\xef'],
    [65_600, '_BHRfS_M'],
    [SIZE - 512, 'conectix'],
  );
  const window = await readProbeWindow(disk);
  expect(names(recogniseIn(window, ['image', 'archive']))).toEqual([
    ['vmdk', 0],
    ['vhd', SIZE - 512],
  ]);
  expect(names(recogniseIn(window, ['file-system']))).toEqual([['ext2', 1080]]);
  const noise = { head: pattern(4096, 1), tail: pattern(512, 2), size: SIZE };
  expect(recogniseIn(noise, ['image', 'archive'])).toEqual([]);
});
