import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { create, describeWithQemu, qemuImg, qemuIo, tryQemuImg } from '../support/qemu.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);
const PREPARED = ['disk.qcow2', 'other.qcow2', 'longer.qcow2', 'crashed.qcow2'];

/** All that the bitmaps of an image say, consistent or not. */
async function bitmapsOf(image: string): Promise<unknown> {
  const list = (await jsonOf('bitmaps', image)) as { name: string; consistent: boolean }[];
  const all: unknown[] = [];
  for (const bitmap of list)
    all.push([bitmap, bitmap.consistent ? await jsonOf('bitmaps', image, bitmap.name) : undefined]);
  return all;
}

describeWithQemu('bitmap, beside qemu-img bitmap', () => {
  beforeAll(() => {
    for (const name of PREPARED) create(folder, name, 'qcow2', name === 'longer.qcow2' ? '6M' : '5M');
    for (const name of PREPARED) {
      qemuImg(folder, 'bitmap', '--add', '-g', '4k', name, 'fine');
      qemuImg(folder, 'bitmap', '--add', '--disable', '-g', '1M', name, 'off');
      qemuIo(folder, name, 'qcow2', 'write -q 70000 20000', 'write -q 4M 5000');
      qemuImg(folder, 'bitmap', '--add', name, 'later');
      qemuIo(folder, name, 'qcow2', name === 'other.qcow2' ? 'write -q 2M 64k' : 'write -q 3M 1');
    }
    create(folder, 'small.qcow2', 'qcow2', '5M', { o: 'cluster_size=512' });
    try {
      qemuIo(folder, 'crashed.qcow2', 'qcow2', 'write -q 0 1', 'abort');
    } catch {
      // it leaves its bitmaps in use
    }
  });

  test.each<readonly [options: string, image: string, name: string]>([
    ['--add', 'disk.qcow2', 'new'],
    ['--add', 'small.qcow2', 'new'],
    ['--add -g 512', 'disk.qcow2', 'new'],
    ['--add --granularity 2M', 'disk.qcow2', 'new'],
    ['--add --disable', 'disk.qcow2', 'new'],
    ['--add --disable --enable', 'disk.qcow2', 'new'],
    ['--add --merge fine --disable', 'disk.qcow2', 'new'],
    ['--add --merge later --merge fine', 'disk.qcow2', 'new'],
    ['--add --merge fine --clear --merge later', 'disk.qcow2', 'new'],
    ['--merge fine', 'disk.qcow2', 'later'],
    ['--merge later', 'disk.qcow2', 'fine'],
    ['--merge fine', 'disk.qcow2', 'off'],
    ['--merge fine', 'disk.qcow2', 'fine'],
    ['--merge later -b other.qcow2', 'disk.qcow2', 'fine'],
    ['--merge later --merge fine -b other.qcow2 -F qcow2', 'disk.qcow2', 'off'],
    ['--add --merge fine --source-file other.qcow2 --source-format qcow2', 'small.qcow2', 'new'],
    ['--clear', 'disk.qcow2', 'fine'],
    ['--enable', 'disk.qcow2', 'off'],
    ['--disable', 'disk.qcow2', 'fine'],
    ['--remove', 'disk.qcow2', 'fine'],
    ['--remove --add -g 8k', 'disk.qcow2', 'fine'],
    ['--remove', 'crashed.qcow2', 'fine'],
    ['--add', 'crashed.qcow2', 'new'],
    // What is refused leaves what was done before it.
    ['--merge fine', 'crashed.qcow2', 'later'],
    ['--add --merge fine', 'crashed.qcow2', 'new'],
    ['--merge fine -b crashed.qcow2', 'disk.qcow2', 'off'],
    ['--clear', 'crashed.qcow2', 'fine'],
    ['--enable', 'crashed.qcow2', 'off'],
    ['--disable', 'crashed.qcow2', 'fine'],
    ['--merge fine -b longer.qcow2', 'disk.qcow2', 'off'],
    ['--merge nope', 'disk.qcow2', 'off'],
    ['--merge fine', 'disk.qcow2', 'nope'],
    ['--merge fine -b nope.qcow2', 'disk.qcow2', 'off'],
    ['--merge fine -F qcow2', 'disk.qcow2', 'off'],
    ['--clear -b other.qcow2', 'disk.qcow2', 'off'],
    ['--clear -g 4k', 'disk.qcow2', 'off'],
    ['--add', 'disk.qcow2', 'fine'],
    ['--add -g 1000', 'disk.qcow2', 'new'],
    ['-g 4k', 'disk.qcow2', 'off'],
  ])('%s %s %s', async (options, image, name) => {
    copyFileSync(at(image), at('theirs.qcow2'));
    copyFileSync(at(image), at('ours.qcow2'));
    const args = options.split(' ').map((word) => (word.endsWith('.qcow2') ? at(word) : word));
    const theirs = tryQemuImg(folder, 'bitmap', ...args, '-f', 'qcow2', 'theirs.qcow2', name);
    const ours = await runHere('bitmap', ...args, '-f', 'qcow2', at('ours.qcow2'), name);
    expect([ours.status, ours.stdout.toString()]).toEqual([theirs.status, '']);
    if (ours.status !== 0) expect(ours.stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
    expect(await bitmapsOf(at('ours.qcow2'))).toEqual(await bitmapsOf(at('theirs.qcow2')));
    expect(tryQemuImg(folder, 'check', 'ours.qcow2').status).toBe(0);
  });

  test('the bits of an inconsistent bitmap are an error that names it', async () => {
    const { status, stdout, stderr } = await runHere('bitmaps', at('crashed.qcow2'), 'fine');
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^diskstack: ERR_CORRUPT: [^\n]+"fine" is inconsistent[^\n]+\n$/);
    expect((await runHere('bitmaps', at('crashed.qcow2'))).stdout.toString()).toMatch(
      / no +in-use,auto +fine\n/,
    );
  });

  test('commit into a base with enabled bitmaps is recorded there, as by qemu-img', async () => {
    copyFileSync(at('disk.qcow2'), at('ours.qcow2'));
    copyFileSync(at('disk.qcow2'), at('theirs.qcow2'));
    for (const name of ['ours', 'theirs']) {
      create(folder, `${name}.top`, 'qcow2', '5M', { backing: [`${name}.qcow2`, 'qcow2'] });
      qemuIo(folder, `${name}.top`, 'qcow2', 'write -q 1M 100k', 'write -q -z 4500k 200k');
    }
    expect(await runHere('commit', at('ours.top'))).toMatchObject({ status: 0, stderr: '' });
    qemuImg(folder, 'commit', '-q', 'theirs.top');
    expect(await bitmapsOf(at('ours.qcow2'))).toEqual(await bitmapsOf(at('theirs.qcow2')));
    expect(tryQemuImg(folder, 'check', 'ours.qcow2').status).toBe(0);
  });

  test.each([
    ['rebase -u -b', ['rebase', '-u', '-b', at('other.qcow2'), '-F', 'qcow2']],
    ['snapshot -c', ['snapshot', '-c', 'one']],
    ['check -r all', ['check', '-r', 'all']],
    ['check -r leaks', ['check', '-r', 'leaks']],
  ] as const)('%s leaves them as they are', async (_, args) => {
    copyFileSync(at('disk.qcow2'), at('ours.qcow2'));
    expect(await runHere(...args, at('ours.qcow2'))).toMatchObject({ status: 0, stderr: '' });
    expect(await bitmapsOf(at('ours.qcow2'))).toEqual(await bitmapsOf(at('disk.qcow2')));
  });

  test('write, discard and resize are recorded as by qemu', async () => {
    copyFileSync(at('disk.qcow2'), at('ours.qcow2'));
    copyFileSync(at('disk.qcow2'), at('theirs.qcow2'));
    const commands = [
      ['write', at('ours.qcow2'), '1M', '--pattern', '1', '--length', '10k'],
      ['write', at('ours.qcow2'), '2500001', '--zeroes', '--length', '100k'],
      ['discard', at('ours.qcow2'), '3100001', '300k'],
      ['resize', at('ours.qcow2'), '9M'],
    ];
    for (const args of commands) expect(await runHere(...args)).toMatchObject({ status: 0, stderr: '' });
    qemuIo(
      folder,
      'theirs.qcow2',
      'qcow2',
      'write -q 1M 10k',
      'write -q -z 2500001 100k',
      'discard -q 3100001 300k',
    );
    qemuImg(folder, 'resize', '-q', 'theirs.qcow2', '9M');
    expect(await bitmapsOf(at('ours.qcow2'))).toEqual(await bitmapsOf(at('theirs.qcow2')));
  });
});
