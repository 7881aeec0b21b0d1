import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { counting, sparseFile } from '../support/images.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { output } from '../support/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();

async function sameMap(format: string, ...args: string[]): Promise<void> {
  const expected = qemuImg(folder, 'map', '--output', 'json', '-f', format, ...args);
  expect(await output(folder, 'map', '--output', 'json', '-f', format, ...args)).toBe(expected);
}

describeWithQemu('map --output json is what qemu-img map prints', () => {
  const block = counting(4096);
  writeFileSync(join(folder, 'empty.raw'), '');
  writeFileSync(join(folder, 'odd.raw'), counting(1000));
  sparseFile(join(folder, 'full.raw'), 65536, [[0, counting(65536)]]);
  sparseFile(join(folder, 'hole.raw'), 1 << 20, []);
  sparseFile(join(folder, 'odd-hole.raw'), 100_001, []);
  sparseFile(join(folder, 'sparse.raw'), 1 << 20, [
    [0, block],
    [65536, counting(12288)],
    [(1 << 20) - 4096, block],
  ]);
  sparseFile(join(folder, 'odd-sparse.raw'), 200_003, [
    [8192, block],
    [196_608, counting(3395)],
  ]);

  create(folder, 'empty.qcow2', 'qcow2', '0');
  create(folder, 'nothing.qcow2', 'qcow2', '10M');
  create(folder, 'mixed.qcow2', 'qcow2', '4M');
  qemuIo(
    folder,
    'mixed.qcow2',
    'qcow2',
    'write -P 1 0 192k',
    'write -z 256k 128k',
    'write -c -P 2 512k 64k',
    'write -c -P 3 576k 64k',
    'write -P 4 1M 64k',
    'write -z 1M 64k',
    'write -z -u 2M 64k',
    'write -P 5 3M 64k',
    'discard 64k 64k',
  );
  create(folder, 'old.qcow2', 'qcow2', '2M', { o: 'compat=0.10,cluster_size=4k' });
  qemuIo(folder, 'old.qcow2', 'qcow2', 'write -P 1 12k 20k', 'write -c -P 2 1M 4k', 'write -z 40k 8k');
  create(folder, 'extended.qcow2', 'qcow2', '2M', { o: 'extended_l2=on,cluster_size=128k' });
  qemuIo(folder, 'extended.qcow2', 'qcow2', 'write -P 1 4k 8k', 'write -z 32k 16k', 'write -P 2 130k 2k');

  create(folder, 'over-odd.qcow2', 'qcow2', '1M', { backing: ['odd.raw', 'raw'] });
  create(folder, 'over-over-odd.qcow2', 'qcow2', '2M', { backing: ['over-odd.qcow2', 'qcow2'] });
  create(folder, 'over-odd-sparse.qcow2', 'qcow2', '1M', { backing: ['odd-sparse.raw', 'raw'] });
  create(folder, 'over-odd-hole.qcow2', 'qcow2', '1M', { backing: ['odd-hole.raw', 'raw'] });
  create(folder, 'over-odd-hidden.qcow2', 'qcow2', '1M', { backing: ['odd.raw', 'raw'] });
  qemuIo(folder, 'over-odd-hidden.qcow2', 'qcow2', 'write -P 1 0 64k');
  create(folder, 'longer.qcow2', 'qcow2', '6M', { backing: ['mixed.qcow2', 'qcow2'] });
  qemuIo(folder, 'longer.qcow2', 'qcow2', 'write -P 8 64k 64k', 'write -z 576k 64k', 'write -P 9 5M 64k');
  create(folder, 'shorter.qcow2', 'qcow2', '1M', { backing: ['longer.qcow2', 'qcow2'] });
  create(folder, 'extended-over.qcow2', 'qcow2', '3M', {
    o: 'extended_l2=on',
    backing: ['mixed.qcow2', 'qcow2'],
  });
  qemuIo(folder, 'extended-over.qcow2', 'qcow2', 'write -P 1 4k 8k', 'write -z 520k 6k', 'write -P 3 2M 2k');
  create(folder, 'v1.qcow', 'qcow', '1M', { backing: ['odd.raw', 'raw'] });
  qemuIo(folder, 'v1.qcow', 'qcow', 'write -P 1 64k 8k');

  const raws = ['empty', 'odd', 'full', 'hole', 'odd-hole', 'sparse', 'odd-sparse'];
  it.for(raws)('of %s.raw', (name) => sameMap('raw', `${name}.raw`));

  const qcows =
    'empty nothing mixed old extended over-odd over-over-odd over-odd-sparse over-odd-hole over-odd-hidden longer shorter extended-over';
  it.for(qcows.split(' '))('of %s.qcow2', (name) => sameMap('qcow2', `${name}.qcow2`));

  it('of v1.qcow', () => sameMap('qcow', 'v1.qcow'));

  it.for([
    ['raw', 'odd.raw', '100', '10'],
    ['raw', 'odd.raw', '1010', '1M'],
    ['raw', 'odd.raw', '5000', '1M'],
    ['raw', 'odd-hole.raw', '512', '99999'],
    ['qcow2', 'longer.qcow2', '70000', '512k'],
    ['qcow2', 'longer.qcow2', '4M', '2M'],
    ['qcow2', 'over-odd.qcow2', '999', '10'],
    ['qcow2', 'mixed.qcow2', '0', '0'],
  ] as const)('of a part: -f %s %s from %s, %s bytes', ([format, name, start, length]) =>
    sameMap(format, '--start-offset', start, '--max-length', length, name),
  );

  it.for(['full.raw', 'sparse.raw'])('as a table, of %s', async (name) => {
    expect(await output(folder, 'map', name)).toBe(qemuImg(folder, 'map', '-f', 'raw', name));
  });

  it('as a table of a chain', async () => {
    create(folder, 'plain.qcow2', 'qcow2', '1M', { backing: ['sparse.raw', 'raw'] });
    qemuIo(folder, 'plain.qcow2', 'qcow2', 'write -P 8 64k 64k');
    expect(await output(folder, 'map', 'plain.qcow2')).toBe(qemuImg(folder, 'map', 'plain.qcow2'));
  });

  it('as a table with compressed clusters, which qemu-img refuses', async () => {
    expect(await output(folder, 'map', 'mixed.qcow2')).toContain(
      '0x80000         0x20000         compressed      mixed.qcow2\n',
    );
  });
});

describe('map', () => {
  it('names the file of a layer as the image above does', async () => {
    mkdirSync(join(folder, 'inner'), { recursive: true });
    sparseFile(join(folder, 'inner/one.raw'), 4096, [[0, counting(4096)]]);
    expect(await output(folder, 'map', 'inner/one.raw')).toMatch(/0x1000 +0 +inner\/one\.raw\n$/);
  });
});
