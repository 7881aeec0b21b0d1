import { join } from 'node:path';
import { FileDisk } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { flat, tableOf } from './support/find.ts';
import { describeWithSfdisk, partitioned, type SfdiskTable, typed } from './support/sfdisk.ts';
import { tempFolder } from './support/temp-folder.ts';

const MIB = 1024 * 1024;
const folder = tempFolder();

/** Scripts of sfdisk, and the size of the disk if it is not 64 MiB. */
const SCRIPTS: readonly (readonly [string, string, number?])[] = [
  ['one partition over all of the disk', 'label: dos\n,,83\n'],
  [
    'four primaries, one active, in no order',
    'label: dos\nstart=40960,size=2048,type=7,bootable\nstart=2048,size=100\n,4M,82\n,,ef\n',
  ],
  ['an extended partition of eight logical ones', `label: dos\n,4M\n,,5\n${',1M\n'.repeat(8)}`],
  [
    'an extended partition in the last slot, logical ones not aligned',
    'label: dos\n4: start=63,size=100000,type=f\n5: start=126,size=900\n6: start=2048,size=2048,type=8e\n',
  ],
  ['an extended partition without logical ones', 'label: dos\n,4M\n,,5\n'],
  ['a large MBR', 'label: dos\n,512G\n,,5\n,100G\n,300G,8e\n', 2 ** 40],
  [
    'GPT with names and attributes',
    'label: gpt\nsize=4M,type=U,name="EFI System"\nsize=4M,type=L,name="Ünïcode ✓",attrs="RequiredPartition"\ntype=L,attrs="LegacyBIOSBootable,GUID:60"\n',
  ],
  ['GPT in slots with gaps', 'label: gpt\n3: size=1M\n7: size=1M\n128: size=1M\n'],
  ['GPT of four entries', 'label: gpt\ntable-length: 4\n,1M\n,1M\n'],
  ['GPT of 200 partitions', `label: gpt\ntable-length: 256\n${',1M\n'.repeat(200)}`, 512 * MIB],
  ['GPT of a disk of 10 TiB', 'label: gpt\n,4T\n,4T\n,,\n', 10 * 2 ** 40],
  ['GPT of a disk that is no multiple of its sectors', 'label: gpt\n,,\n', 32 * MIB + 700],
];

/** Input of fdisk: one partition, and one for the rest of the disk. */
const TYPED: Readonly<Record<string, readonly string[]>> = {
  GPT: ['g', 'n', '', '', '+8M', 'n', '', '', ''],
  'MBR with logical partitions': [
    'o',
    'n',
    'p',
    '',
    '',
    '+8M',
    'n',
    'e',
    '',
    '',
    '',
    'n',
    '',
    '+8M',
    'n',
    '',
    '',
  ],
};

describeWithSfdisk('as sfdisk sees it', () => {
  test.for(SCRIPTS)('%s', async ([name, script, size = 64 * MIB]) => {
    const path = join(folder, name);
    const said = partitioned(path, size, script);
    await using disk = new FileDisk(path);
    const set = await tableOf(disk);
    expect({ layout: set?.layout, problem: set?.problem, sectorSize: set?.facts?.sectorSize }).toEqual({
      layout: said.label === 'dos' ? 'mbr' : 'gpt',
      problem: undefined,
      sectorSize: said.sectorsize,
    });
    const volumes = [...flat(set)].sort((a, b) => Number(a.facts?.number) - Number(b.facts?.number));
    expect(
      volumes.map(({ layer, start, size, type, name, status, facts }) => ({
        layer,
        start,
        size,
        type,
        status,
        ...(said.label === 'gpt' ? { name, uuid: facts?.uuid } : { bootable: facts?.bootable }),
      })),
    ).toEqual(asVolumes(path, said));
  });

  test.for([
    ['GPT', 512],
    ['GPT', 1024],
    ['GPT', 2048],
    ['GPT', 4096],
    ['MBR with logical partitions', 512],
    ['MBR with logical partitions', 4096],
  ] as const)('%s in sectors of %d bytes', async ([table, sectorSize]) => {
    const path = join(folder, `${table.length}-${sectorSize}-bytes`);
    const said = typed(path, 64 * MIB, sectorSize, TYPED[table] ?? []);
    expect(said.length).toBe(table === 'GPT' ? 2 : 4);
    await using disk = new FileDisk(path);
    const volumes = flat(await tableOf(disk)).map(({ layer, start, size }) => ({ layer, start, size }));
    expect(volumes).toEqual(said);
  });

  function asVolumes(path: string, { label, sectorsize, partitions = [] }: SfdiskTable) {
    return partitions.map(({ node, start, size, type, name = '', uuid, bootable = false }) => ({
      layer: `p${node.slice(path.length)}`,
      start: start * sectorsize,
      size: size * sectorsize,
      type: label === 'dos' ? `0x${type.padStart(2, '0')}` : type,
      status: 'ok',
      ...(label === 'gpt' ? { name, uuid } : { bootable }),
    }));
  }
});
