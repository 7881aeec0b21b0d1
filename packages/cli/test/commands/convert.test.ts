import { createHash } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { counting, endlessImage, sparseFile } from '../support/images.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { diskstack, finished, output, start } from '../support/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();

function sha256(name: string): string {
  return createHash('sha256')
    .update(readFileSync(join(folder, name)))
    .digest('hex');
}

function bytesOnDisk(name: string): number {
  return statSync(join(folder, name)).blocks * 512;
}

describeWithQemu('convert writes what qemu-img convert writes', () => {
  sparseFile(join(folder, 'sparse.raw'), 24 << 20, [
    [0, counting(4096)],
    [(5 << 20) + 512, counting(3 << 20)],
    [(24 << 20) - 100, counting(100)],
  ]);
  create(folder, 'base.qcow2', 'qcow2', '8M', { o: 'compression_type=zstd' });
  qemuIo(folder, 'base.qcow2', 'qcow2', 'write -P 1 0 3M', 'write -c -P 2 4M 64k', 'write -P 3 8128k 64k');
  create(folder, 'middle.qcow2', 'qcow2', '12M', { o: 'extended_l2=on', backing: ['base.qcow2', 'qcow2'] });
  qemuIo(folder, 'middle.qcow2', 'qcow2', 'write -P 4 1M 10k', 'write -z 2M 70k', 'write -c -P 5 9M 128k');
  create(folder, 'top.qcow2', 'qcow2', '10M', { o: 'cluster_size=4k', backing: ['middle.qcow2', 'qcow2'] });
  qemuIo(folder, 'top.qcow2', 'qcow2', 'write -P 6 1030k 3k', 'write -P 0 0 512k', 'write -P 7 10239k 1k');
  create(folder, 'v1.qcow', 'qcow', '10M', { backing: ['sparse.raw', 'raw'] });
  qemuIo(folder, 'v1.qcow', 'qcow', 'write -P 6 1030k 3k');
  create(folder, 'nothing.qcow2', 'qcow2', '1G');
  create(folder, 'empty.qcow2', 'qcow2', '0');

  it.for([
    ['raw', 'sparse.raw'],
    ['qcow2', 'base.qcow2'],
    ['qcow2', 'middle.qcow2'],
    ['qcow2', 'top.qcow2'],
    ['qcow', 'v1.qcow'],
    ['qcow2', 'empty.qcow2'],
  ] as const)('of %s %s, with as many holes', async ([format, name]) => {
    qemuImg(folder, 'convert', '-f', format, '-O', 'raw', name, `${name}.theirs`);
    expect(await output(folder, 'convert', '-O', 'raw', name, `${name}.ours`)).toBe('');
    expect(sha256(`${name}.ours`)).toBe(sha256(`${name}.theirs`));
    expect(bytesOnDisk(`${name}.ours`)).toBeLessThanOrEqual(bytesOnDisk(`${name}.theirs`) + 16384);
  });

  it('of a disk of zeroes, without writing any', async () => {
    await output(folder, 'convert', 'nothing.qcow2', 'nothing.ours');
    expect(statSync(join(folder, 'nothing.ours')).size).toBe(2 ** 30);
    expect(bytesOnDisk('nothing.ours')).toBeLessThanOrEqual(4096);
  });

  it('shows progress when asked, and says nothing else', async () => {
    const { status, stdout, stderr } = await diskstack(
      folder,
      'convert',
      '-p',
      'sparse.raw',
      'progress.ours',
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.toString()).toMatch(
      /^ {4}\(0\.00\/100%\)\r( {4}\(\d+\.\d\d\/100%\)\r)* {4}\(100\.00\/100%\)\r\n$/,
    );
  });

  it('replaces what stood under the name before', async () => {
    writeFileSync(join(folder, 'before.ours'), counting(100_000));
    await output(folder, 'convert', 'base.qcow2', 'before.ours');
    expect(statSync(join(folder, 'before.ours')).size).toBe(8 << 20);
  });
});

describeWithQemu('convert, interrupted', () => {
  mkdirSync(join(folder, 'interrupted'));
  endlessImage(join(folder, 'interrupted'), 'endless.qcow2');

  it.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('by %s leaves nothing', async ([signal, expected]) => {
    const inside = join(folder, 'interrupted');
    writeFileSync(join(inside, 'out.raw'), 'as it was');
    const child = start(['convert', '-p', 'endless.qcow2', 'out.raw'], inside);
    const run = finished(child);
    await new Promise((resolve) => child.stdout?.once('data', resolve)); // the first line of progress: it is at work
    expect(readdirSync(inside).filter((name) => name.endsWith('.partial'))).toHaveLength(1);
    child.kill(signal);
    const { status, stderr } = await run;
    expect(status).toBe(expected);
    expect(stderr).toBe(`diskstack: ERR_ABORTED: interrupted by ${signal}\n`);
    expect(readdirSync(inside).sort()).toEqual(['endless.qcow2', 'out.raw']);
    expect(readFileSync(join(inside, 'out.raw'), 'utf8')).toBe('as it was');
  });
});

describeWithQemu('convert refuses', () => {
  mkdirSync(join(folder, 'same'));
  const inside = join(folder, 'same');
  sparseFile(join(inside, 'base.raw'), 1 << 20, [[0, counting(4096)]]);
  create(inside, 'top.qcow2', 'qcow2', '1M', { backing: ['base.raw', 'raw'] });
  linkSync(join(inside, 'base.raw'), join(inside, 'hard.raw'));
  symlinkSync('base.raw', join(inside, 'soft.raw'));
  sparseFile(join(inside, 'volume.raw'), 1 << 20, [[0, counting(4096)]]);
  create(inside, 'on-volume.qcow2', 'qcow2', '1M', { backing: ['/dev/vg/lv', 'raw'] });
  create(inside, 'external.qcow2', 'qcow2', '1M', { o: `data_file=${join(inside, 'external.data')}` });
  const names = readdirSync(inside).sort();

  it.for([
    ['top.qcow2', 'top.qcow2'],
    ['top.qcow2', 'base.raw'],
    ['top.qcow2', '../same/base.raw'],
    ['top.qcow2', 'hard.raw'],
    ['top.qcow2', 'soft.raw'],
    ['base.raw', 'hard.raw'],
    ['external.qcow2', 'external.data'],
    ['on-volume.qcow2', 'volume.raw', '--volume', '/dev/vg/lv=volume.raw'],
  ])('to write %s into %s, which it reads', async ([image = '', target = '', ...options]) => {
    const { status, stderr } = await diskstack(inside, 'convert', ...options, image, target);
    expect(stderr).toMatch(/^diskstack: ERR_ARGUMENT: the output ".+" is the same file as the input ".+"\n$/);
    expect(status).toBe(1);
    expect(readdirSync(inside).sort()).toEqual(names);
  });

  it('another output format', async () => {
    const { status, stderr } = await diskstack(inside, 'convert', '-O', 'vmdk', 'base.raw', 'out.vmdk');
    expect(stderr).toMatch(/^diskstack: ERR_UNSUPPORTED: .*"vmdk".*\n$/);
    expect(status).toBe(1);
    expect(readdirSync(inside).sort()).toEqual(names);
  });

  it('a damaged image, and leaves nothing', async () => {
    create(inside, 'damaged.qcow2', 'qcow2', '4M');
    qemuIo(inside, 'damaged.qcow2', 'qcow2', 'write -P 1 0 1M', 'write -c -P 2 1M 64k');
    const bytes = readFileSync(join(inside, 'damaged.qcow2'));
    const compressedAt = bytes.length - 512; // the last thing written
    const start = bytes.lastIndexOf(1, compressedAt) + 1;
    bytes.fill(0xff, start);
    writeFileSync(join(inside, 'damaged.qcow2'), bytes);
    const { status, stderr } = await diskstack(inside, 'convert', 'damaged.qcow2', 'out.raw');
    expect(stderr).toMatch(/^diskstack: ERR_CORRUPT: \[qcow2 damaged\.qcow2\] .+\n$/);
    expect(status).toBe(1);
    expect(readdirSync(inside).sort()).toEqual([...names, 'damaged.qcow2'].sort());
  });
});

describe('convert of a raw disk', () => {
  it('keeps a size that is no multiple of a sector', async () => {
    writeFileSync(join(folder, 'odd.raw'), counting(1001));
    await output(folder, 'convert', 'odd.raw', 'odd.ours');
    expect(readFileSync(join(folder, 'odd.ours')).equals(counting(1001))).toBe(true);
  });

  it('says why when the output cannot be made', async () => {
    writeFileSync(join(folder, 'one.raw'), counting(10));
    for (const [target, code] of [
      ['.', 'ERR_ARGUMENT'],
      ['no/such/folder', 'ERR_NOT_FOUND'],
    ] as const) {
      const { status, stderr } = await diskstack(folder, 'convert', 'one.raw', target);
      expect(stderr).toMatch(new RegExp(`^diskstack: ${code}: .+\n$`));
      expect(status).toBe(1);
    }
  });
});
