import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { counting, sparseFile } from '../support/images.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

describeWithQemu('measure against qemu-img measure', () => {
  beforeAll(() => {
    sparseFile(at('sparse.raw'), 10 << 20, [
      [0, counting(100)],
      [5 << 20, counting(65_536)],
    ]);
    create(folder, 'image.qcow2', 'qcow2', '1G');
    qemuIo(folder, 'image.qcow2', 'qcow2', 'write 1M 100k', 'write -z 4M 1M', 'write 700M 1');
    create(folder, 'marked.qcow2', 'qcow2', '3G');
    qemuImg(folder, 'bitmap', '--add', '-g', '4k', 'marked.qcow2', 'one');
    qemuImg(folder, 'bitmap', '--add', 'marked.qcow2', 'another one with a longer name');
    create(folder, 'over.qcow2', 'qcow2', undefined, { backing: [at('sparse.raw'), 'raw'], o: 'size=10M' });
  });

  const OPTIONS = [
    '',
    'cluster_size=512',
    'cluster_size=4k,refcount_bits=64',
    'cluster_size=2M,refcount_bits=1',
    'extended_l2=on,cluster_size=128k',
    'preallocation=metadata',
    'preallocation=full',
    'compat=0.10',
  ];
  const SOURCES = [
    ['--size', '0'],
    ['--size', '1'],
    ['--size', '1G'],
    ['--size', '100G'],
    ['-f', 'raw', 'sparse.raw'],
    ['-f', 'qcow2', 'image.qcow2'],
    ['-f', 'qcow2', 'marked.qcow2'],
    ['-f', 'qcow2', 'over.qcow2'],
  ];

  test.each(SOURCES.flatMap((source) => OPTIONS.map((o) => [source.join(' '), o, source] as const)))(
    '%s as qcow2 with %s',
    async (_, o, source) => {
      const options = o === '' ? [] : ['-o', o];
      const theirs = JSON.parse(
        qemuImg(folder, 'measure', '--output', 'json', '-O', 'qcow2', ...options, ...source),
      );
      const args = source.map((word) => (/\.(raw|qcow2)$/.test(word) ? at(word) : word));
      expect(await jsonOf('measure', '-O', 'qcow2', ...options, ...args)).toEqual(theirs);
    },
  );

  test('as raw, and in words', async () => {
    for (const args of [
      ['-O', 'raw'],
      ['-O', 'qcow2'],
      ['-O', 'qcow2', '-o', 'backing_file=x'],
    ]) {
      const theirs = qemuImg(folder, 'measure', ...args, '-f', 'qcow2', 'marked.qcow2');
      const ours = await runHere('measure', ...args, '-f', 'qcow2', at('marked.qcow2'));
      expect(ours).toMatchObject({ status: 0, stderr: '' });
      expect(ours.stdout.toString()).toBe(theirs);
    }
  });
});

test('LUKS needs its header too', async () => {
  const plain = (await jsonOf('measure', '-O', 'qcow2', '--size', '1M')) as { required: number };
  const luks = await jsonOf('measure', '-O', 'qcow2', '--size', '1M', '-o', 'encrypt.format=luks');
  expect(luks).toMatchObject({ required: plain.required + 2_097_152 }); // 2,068,480 bytes in clusters
});

test.each([
  ['neither an image nor a size', ['measure', '-O', 'qcow2'], 'either'],
  ['both', ['measure', '-O', 'qcow2', '--size', '1', at('sparse.raw')], 'either'],
  ['a format that is not made', ['measure', '-O', 'vmdk', '--size', '1G'], '"vmdk"'],
  [
    'too large a disk',
    ['measure', '-O', 'qcow2', '--size', '1T', '-o', 'cluster_size=512'],
    'larger clusters',
  ],
  ['an option that is not there', ['measure', '-O', 'qcow2', '--size', '1', '-o', 'foo=1'], '"foo"'],
])('%s is refused in one line', async (_, args, named) => {
  const { status, stdout, stderr } = await runHere(...args);
  expect({ status, stdout: stdout.toString() }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
  expect(stderr).toContain(named);
});

test('version 1 is not measured, as qemu-img does not', async () => {
  const { status, stdout, stderr } = await runHere('measure', '-O', 'qcow', '--size', '1M');
  expect({ status, stdout: stdout.length }).toEqual({ status: 1, stdout: 0 });
  expect(stderr).toContain('ERR_UNSUPPORTED');
});
