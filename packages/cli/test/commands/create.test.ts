import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { counting } from '../support/images.ts';
import { describeWithQemu, encryptedArgs, PASSPHRASE, qemuImg } from '../support/qemu.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

async function good(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runHere(...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.toString();
}

describeWithQemu('create against qemu-img create', () => {
  test.each([
    ['-f qcow2', '3M'],
    ['-f qcow2 -o cluster_size=4k,refcount_bits=8,lazy_refcounts=on', '1.5M'],
    ['-f qcow2 -o extended_l2=on,compression_type=zstd', '1G'],
    ['-f qcow2 -o compat=0.10 -o cluster_size=128k', '100001'],
    ['-f qcow2 -o preallocation=metadata', '3M'],
    ['-f qcow2 -o size=4M', undefined],
    ['-f qcow2 -u -b not-there.raw -F raw', '1M'],
    ['-f qcow2 -b base.raw -F raw', undefined],
    ['-f qcow', '1001'],
    ['-f qcow -b base.raw -F raw', undefined],
    ['-f raw', '1001'],
    ['-f raw -o preallocation=full', '1M'],
  ])('create %s %s: the image, and what is said of it', async (options, size) => {
    writeFileSync(at('base.raw'), counting(1 << 20));
    const sizes = size === undefined ? [] : [size];
    const ours = await good('create', ...options.split(' '), at('image'), ...sizes);
    const info = (): unknown => JSON.parse(qemuImg(folder, 'info', '--output', 'json', 'image'));
    const made = info();
    const theirs = qemuImg(folder, 'create', ...options.split(' '), at('image'), ...sizes);
    expect(made).toMatchObject({ ...(info() as object), 'actual-size': expect.any(Number) });
    expect(ours.split(' ').sort()).toEqual(theirs.split(' ').sort());
  });

  test('an encrypted image opens with its passphrase, and with no other', async () => {
    process.env.CREATE_KEY = PASSPHRASE;
    const luks = 'encrypt.format=luks,encrypt.iter-time=10,encrypt.cipher-alg=twofish-256';
    await good('create', '-q', '-f', 'qcow2', '-o', luks, '--secret', 'env=CREATE_KEY', at('luks'), '1M');
    expect(qemuImg(folder, 'convert', '-O', 'raw', ...encryptedArgs('luks', 'qcow2'), 'luks.raw')).toBe('');
    expect(readFileSync(at('luks.raw')).equals(Buffer.alloc(1 << 20))).toBe(true);
    process.env.CREATE_KEY = 'another';
    const wrong = await runHere('read', '--secret', 'env=CREATE_KEY', at('luks'), '0', '1');
    expect(wrong.stderr).toContain('ERR_WRONG_KEY');
  });

  test('a data file is made beside the image', async () => {
    await good('create', '-q', '-f', 'qcow2', '-o', 'data_file=d.raw,data_file_raw=on', at('over'), '3M');
    expect(statSync(at('d.raw')).size).toBe(3 << 20);
    expect(qemuImg(folder, 'map', '--output', 'json', join(folder, 'over'))).toContain('"offset": 0');
  });

  test.each(['luks', 'aes'])('%s: reserved sub-clusters do not hide the base', async (kind) => {
    process.env.CREATE_KEY = PASSPHRASE;
    writeFileSync(at('below.raw'), Buffer.alloc(1 << 20, 9));
    const speed = kind === 'luks' ? ',encrypt.iter-time=10' : '';
    const options = `extended_l2=on,preallocation=metadata,encrypt.format=${kind}${speed}`;
    const image = ['-b', 'below.raw', '-F', 'raw', '-o', options, at(`over.${kind}`), '1M'];
    await good('create', '-q', '-f', 'qcow2', '--secret', 'env=CREATE_KEY', ...image);
    qemuImg(folder, 'convert', '-O', 'raw', ...encryptedArgs(`over.${kind}`, 'qcow2'), 'over.raw');
    expect(readFileSync(at('over.raw')).equals(Buffer.alloc(1 << 20, 9))).toBe(true);
  });

  test('data_file_raw without a data file is refused', async () => {
    const { status, stderr } = await runHere(
      'create',
      '-f',
      'qcow2',
      '-o',
      'data_file_raw=on',
      at('no'),
      '1M',
    );
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('data_file_raw') });
  });
});

describe('an existing file', () => {
  test.each(['base.raw', './base.raw', 'link.raw'])(
    'is never overwritten by an overlay on it: %s',
    async (name) => {
      writeFileSync(at('base.raw'), counting(4096));
      if (name === 'link.raw') symlinkSync('base.raw', at('link.raw'));
      for (const unsafe of [[], ['-u']]) {
        const args = ['create', '-f', 'qcow2', ...unsafe, '-b', 'base.raw', '-F', 'raw', at(name), '1M'];
        const { status, stderr } = await runHere(...args);
        expect({ status, code: stderr.split(': ')[1] }).toEqual({ status: 1, code: 'ERR_ARGUMENT' });
        expect(readFileSync(at('base.raw')).equals(counting(4096))).toBe(true);
      }
    },
  );

  test('stays if the new image cannot be made, and nothing is left beside it', async () => {
    writeFileSync(at('old'), 'precious');
    const before = readdirSync(folder).sort();
    const { status } = await runHere(
      'create',
      '-f',
      'qcow2',
      '-b',
      'x'.repeat(1024),
      '-F',
      'raw',
      '-u',
      at('old'),
      '1M',
    );
    expect(status).toBe(1);
    expect(readFileSync(at('old'), 'utf8')).toBe('precious');
    expect(readdirSync(folder).sort()).toEqual(before);
  });
});

test.each([
  ['no size', ['-f', 'qcow2'], [], 'size'],
  ['a size that is none', ['-f', 'qcow2'], ['1X'], '"1X"'],
  ['two sizes', ['-f', 'qcow2', '-o', 'size=3M'], ['4M'], 'twice'],
  ['a cluster size', ['-f', 'qcow2', '-o', 'cluster_size=1000'], ['1M'], '1000'],
  ['an option', ['-f', 'qcow2', '-o', 'foo=1'], ['1M'], '"foo"'],
  ['a format', ['-f', 'vmdk'], ['1M'], '"vmdk"'],
  ['refcount bits', ['-f', 'qcow2', '-o', 'refcount_bits=3'], ['1M'], '3 bits'],
  ['refcount bits of version 2', ['-f', 'qcow2', '-o', 'refcount_bits=8,compat=0.10'], ['1M'], 'version 3'],
  ['zstd of version 2', ['-f', 'qcow2', '-o', 'compression_type=zstd,compat=0.10'], ['1M'], 'version 3'],
  ['compat', ['-f', 'qcow2', '-o', 'compat=9'], ['1M'], '"9"'],
  ['preallocation', ['-f', 'qcow2', '-o', 'preallocation=foo'], ['1M'], '"foo"'],
  ['a flag', ['-f', 'qcow2', '-o', 'lazy_refcounts=maybe'], ['1M'], '"maybe"'],
  ['a backing file that is not there', ['-f', 'qcow2', '-b', 'nope', '-F', 'raw'], [], 'no such file'],
  ['a backing file without its format', ['-f', 'qcow2', '-b', 'nope'], ['1M'], ''],
  ['a backing file of a raw image', ['-f', 'raw', '-b', 'nope', '-F', 'raw'], ['1M'], 'raw'],
  ['a format of no backing file', ['-f', 'qcow2', '-F', 'raw'], ['1M'], 'backing'],
  [
    'preallocation over a base',
    ['-f', 'qcow2', '-u', '-b', 'x', '-F', 'raw', '-o', 'preallocation=full'],
    ['1M'],
    'hide',
  ],
  ['encryption without a key', ['-f', 'qcow2', '-o', 'encrypt.format=luks'], ['1M'], '--secret'],
  ['a cipher', ['-f', 'qcow2', '-o', 'encrypt.format=luks,encrypt.cipher-alg=rot13-8'], ['1M'], ''],
  ['small clusters for a large disk', ['-f', 'qcow2', '-o', 'cluster_size=512'], ['1T'], 'larger clusters'],
])('%s is refused in one line, and no file is made', async (_, options, size, named) => {
  const { status, stderr } = await runHere('create', ...options, at('none'), ...size);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
  expect(stderr).toContain(named);
  expect(readdirSync(folder).filter((name) => name.startsWith('none'))).toEqual([]);
});
