import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDisks, MemoryDisk } from '@diskstack/core';
import { FileDisk, fileDriver } from '@diskstack/core/node';
import { createQcow, qcow2 } from '@diskstack/qcow';
import { describe, expect, test } from 'vitest';
import { create, describeWithQemu, qemuImg, qemuIo, tryQemuImg } from '../support/qemu.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

/** A chain of files, each with one cluster of its own: byte N of cluster N. The path of the top. */
async function chainOfFiles(name: string, length: number): Promise<string> {
  mkdirSync(at(name));
  const path = (index: number): string => join(at(name), `${index}.qcow2`);
  const disks = createDisks({ formats: [qcow2], drivers: [fileDriver()] });
  for (let index = 0; index < length; index++) {
    const memory = new MemoryDisk(new Uint8Array(0), { writable: true });
    await memory.init();
    const backing = index === 0 ? undefined : { name: `${index - 1}.qcow2`, format: 'qcow2' };
    await createQcow(memory, { size: length * 512, clusterSize: 512, backing });
    writeFileSync(path(index), await memory.read(0, memory.size()));
    await memory.close();
    const file = new FileDisk(path(index), { writable: true });
    await using disk = await disks.open(file, { format: 'qcow2', mountMode: 'rw', metadataOnly: true });
    await disk.write(index * 512, new Uint8Array(512).fill(index + 1));
  }
  return path(length - 1);
}

describe('long chains', () => {
  test('200 images open, and read and convert right; deeper than the limit is an error that names the option', async () => {
    const top = await chainOfFiles('long', 200);
    const expected = Buffer.from(Uint8Array.from({ length: 200 * 512 }, (_, index) => (index >> 9) + 1));
    expect((await jsonOf('info', '--backing-chain', top)) as unknown[]).toHaveLength(200);
    const { stdout, stderr } = await runHere('read', '--raw', top, '0', String(expected.length));
    expect(stderr).toBe('');
    expect(stdout.equals(expected)).toBe(true);
    expect((await runHere('convert', top, at('long.raw'))).status).toBe(0);
    expect(readFileSync(at('long.raw')).equals(expected)).toBe(true);
    expect((await runHere('map', top)).status).toBe(0);
    const short = await runHere('info', '--backing-chain', '--max-chain-depth', '199', top);
    expect(short.status).toBe(1);
    expect(short.stderr).toContain('ERR_LIMIT');
    expect(short.stderr).toContain('--max-chain-depth');
  });

  test('one limit by its name; an unknown name lists the known ones', async () => {
    const unknown = await runHere('info', '--limit', 'maxFun=1', at('long.raw'));
    expect(unknown.stderr).toContain('maxChainDepth');
    expect(unknown.stderr).toContain('clusterCacheBytes');
    const tables = await runHere('info', '--limit', 'maxTableBytes=8', join(at('long'), '199.qcow2'));
    expect(tables.status).toBe(1);
    expect(tables.stderr).toContain('--limit maxTableBytes=');
    const good = await runHere('info', '--limit', 'maxTableBytes=1M', join(at('long'), '199.qcow2'));
    expect(good.status).toBe(0);
  });
});

describeWithQemu('commands on chains, as qemu-img has them', () => {
  /** base <- mid <- top in a folder of their own; the top has data. */
  function chain(name: string): void {
    mkdirSync(at(name));
    const cwd = at(name);
    create(cwd, 'base.qcow2', 'qcow2', '1M');
    create(cwd, 'mid.qcow2', 'qcow2', '1M', { backing: ['base.qcow2', 'qcow2'] });
    create(cwd, 'top.qcow2', 'qcow2', '1M', { backing: ['mid.qcow2', 'qcow2'] });
    qemuIo(cwd, 'top.qcow2', 'qcow2', 'write -P 7 0 64k');
  }

  test.each([
    ['as the overlay names it', 'base.qcow2', 0],
    ['from the folder of this process', 'c/base.qcow2', 1],
    ['one that is not there', 'nothere.qcow2', 1],
    ['the next one', 'mid.qcow2', 0],
  ])('commit -b: %s', async (_, name, status) => {
    const dir = `c-${name.replaceAll(/\W/g, '')}`;
    chain(dir);
    const ours = await runHere('commit', '-b', name, join(at(dir), 'top.qcow2'));
    expect(ours.status).toBe(status);
    const theirs = tryQemuImg(folder, 'commit', '-d', '-b', name, `${dir}/top.qcow2`);
    expect(theirs.status).toBe(status);
    if (status === 0) qemuIo(at(dir), name, 'qcow2', 'read -P 7 0 64k');
  });

  test('commit -b: an absolute name', async () => {
    chain('absolute');
    const ours = await runHere(
      'commit',
      '-b',
      join(at('absolute'), 'base.qcow2'),
      join(at('absolute'), 'top.qcow2'),
    );
    expect(ours.stdout.toString()).toBe('Image committed.\n');
    qemuIo(at('absolute'), 'base.qcow2', 'qcow2', 'read -P 7 0 64k');
  });

  test('commit -r takes a rate, and writes the same', async () => {
    chain('rate');
    const top = join(at('rate'), 'top.qcow2');
    expect((await runHere('commit', '-r', 'fast', top)).status).toBe(1);
    expect((await runHere('commit', '-q', '-d', '-r', '10M', top)).status).toBe(0);
    qemuIo(at('rate'), 'mid.qcow2', 'qcow2', 'read -P 7 0 64k');
    expect(tryQemuImg(at('rate'), 'check', 'mid.qcow2').status).toBe(0);
  });

  test('rebase -c compresses the clusters that it copies', async () => {
    create(folder, 'old.raw', 'raw', '4M');
    qemuIo(folder, 'old.raw', 'raw', 'write -P 3 0 3M');
    create(folder, 'new.raw', 'raw', '4M');
    create(folder, 'over.qcow2', 'qcow2', '4M', { backing: ['old.raw', 'raw'] });
    copyFileSync(at('over.qcow2'), at('plain.qcow2'));
    for (const [flags, name] of [
      [['-c'], 'over.qcow2'],
      [[], 'plain.qcow2'],
    ] as const)
      expect((await runHere('rebase', ...flags, '-b', 'new.raw', '-F', 'raw', at(name))).status).toBe(0);
    expect(tryQemuImg(folder, 'check', 'over.qcow2').status).toBe(0);
    expect(tryQemuImg(folder, 'compare', 'over.qcow2', 'old.raw').status).toBe(0);
    expect(statSync(at('over.qcow2')).size).toBeLessThan(statSync(at('plain.qcow2')).size / 4);
    expect((await runHere('rebase', '-c', '-u', '-b', 'new.raw', '-F', 'raw', at('over.qcow2'))).status).toBe(
      1,
    );
  });

  test.each([
    ['raw', 'off'],
    ['raw', 'falloc'],
    ['raw', 'full'],
    ['qcow2', 'off'],
    ['qcow2', 'metadata'],
    ['qcow2', 'falloc'],
    ['qcow2', 'full'],
  ])('resize %s --preallocation=%s', async (format, mode) => {
    const name = `grown-${mode}.${format}`;
    create(folder, name, format, '1M');
    copyFileSync(at(name), at(`theirs-${name}`));
    const args = ['-f', format, `--preallocation=${mode}`];
    qemuImg(folder, 'resize', ...args, `theirs-${name}`, '+1M');
    expect((await runHere('resize', ...args, at(name), '+1M')).status).toBe(0);
    expect(tryQemuImg(folder, 'compare', '-f', format, '-F', format, name, `theirs-${name}`).status).toBe(0);
    if (format === 'qcow2') {
      expect(tryQemuImg(folder, 'check', name).status).toBe(0);
      const allocated = (image: string): unknown =>
        JSON.parse(qemuImg(folder, 'map', '--output=json', image)).map(
          (entry: { start: number; length: number; present: boolean }) => [
            entry.start,
            entry.length,
            entry.present,
          ],
        );
      expect(allocated(name)).toEqual(allocated(`theirs-${name}`));
    }
    if (mode === 'off') return;
    expect(statSync(at(name)).size).toBe(statSync(at(`theirs-${name}`)).size);
    const shrinks = await runHere('resize', '--shrink', ...args, at(name), '1M');
    expect(shrinks.status).toBe(1);
    expect(shrinks.stderr).toContain('grows');
  });

  test('a sum of sizes past 2^53 is refused by its exact number', async () => {
    create(folder, 'huge.qcow2', 'qcow2', '8000T', { o: 'cluster_size=2M' });
    const { stderr } = await runHere('resize', at('huge.qcow2'), '+7000T');
    expect(stderr).toContain(String((8000n + 7000n) << 40n));
  });

  test('compare: the warning, its place, and the exit status', async () => {
    create(folder, 'c1.raw', 'raw', '1M');
    create(folder, 'c2.raw', 'raw', '2M');
    create(folder, 'c3.raw', 'raw', '1M');
    qemuIo(folder, 'c3.raw', 'raw', 'write 512k 64k');
    create(folder, 'c4.raw', 'raw', '2M');
    qemuIo(folder, 'c4.raw', 'raw', 'write 1536k 64k');
    create(folder, 'q1.qcow2', 'qcow2', '1M');
    create(folder, 'q2.qcow2', 'qcow2', '1M');
    qemuIo(folder, 'q2.qcow2', 'qcow2', 'write -z 128k 64k');
    create(folder, 'q3.qcow2', 'qcow2', '1M');
    qemuIo(folder, 'q3.qcow2', 'qcow2', 'write -P 1 64k 64k');
    for (const args of [
      ['c1.raw', 'c2.raw'],
      ['c1.raw', 'c3.raw'],
      ['c2.raw', 'c3.raw'],
      ['c1.raw', 'c4.raw'],
      ['-q', 'c1.raw', 'c4.raw'],
      ['-s', 'c1.raw', 'c2.raw'],
      ['-s', 'c1.raw', 'c1.raw'],
      ['-s', 'q1.qcow2', 'q2.qcow2'],
      ['-s', 'q2.qcow2', 'q2.qcow2'],
      ['-s', 'q1.qcow2', 'q3.qcow2'],
      ['q1.qcow2', 'q2.qcow2'],
    ]) {
      const theirs = tryQemuImg(folder, 'compare', ...args);
      const ours = await runHere('compare', ...args.map((arg) => (arg.startsWith('-') ? arg : at(arg))));
      // Where qemu-img sees the end of the disk in one image alone, it names the start of that run.
      const text = (stdout: string): string =>
        stdout.replace(/Strict mode: Offset \d+/, 'Strict mode: Offset');
      expect([args, ours.status, text(ours.stdout.toString())]).toEqual([
        args,
        theirs.status,
        text(theirs.stdout),
      ]);
    }
  });

  test('tree prints all layers, and exits with 1 if a node is an error', async () => {
    create(folder, 'tree.raw', 'raw', '1M');
    qemuImg(folder, 'create', '-q', '-u', '-f', 'qcow2', '-b', 'gone.raw', '-F', 'raw', 'broken.qcow2', '1M');
    const { status, stdout } = await runHere('tree', at('tree.raw'), at('broken.qcow2'), '--output', 'json');
    expect(JSON.parse(stdout.toString())).toHaveLength(2);
    expect(status).toBe(1);
    expect((await runHere('tree', at('tree.raw'))).status).toBe(0);
  });
});
