import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { counting, sparseFile } from './support/images.ts';
import { create, describeWithQemu } from './support/qemu.ts';
import { diskstack, output } from './support/run-cli.ts';
import { tempFolder } from './support/temp-folder.ts';

const folder = tempFolder();
writeFileSync(join(folder, 'empty'), '');
writeFileSync(join(folder, 'text'), 'just some text\n');
writeFileSync(join(folder, 'header'), Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3));
mkdirSync(join(folder, 'folder'));

/** The run ends with one line that names the code, and nothing on stdout. */
async function refused(code: string, args: readonly string[], says: string | RegExp = ''): Promise<void> {
  const { status, stdout, stderr } = await diskstack(folder, ...args);
  expect(stderr).toMatch(new RegExp(`^diskstack: ${code}: .+\n$`));
  expect(stderr).toMatch(says);
  expect({ status, stdout: stdout.toString() }).toEqual({ status: 1, stdout: '' });
}

describe('one line and a code for', () => {
  it.for([
    ['no command', 'ERR_ARGUMENT', []],
    ['an unknown command', 'ERR_ARGUMENT', ['inof', 'text']],
    ['an unknown option', 'ERR_ARGUMENT', ['info', '--nope', 'text']],
    ['a missing argument', 'ERR_ARGUMENT', ['read', 'text', '0']],
    ['an argument too many', 'ERR_ARGUMENT', ['info', 'text', 'text']],
    ['an option without its value', 'ERR_ARGUMENT', ['info', 'text', '--format']],
    ['an unknown kind of output', 'ERR_ARGUMENT', ['info', '--output', 'xml', 'text']],
    ['an unknown format', 'ERR_UNKNOWN_FORMAT', ['info', '--format', 'vmdk', 'text']],
    ['a volume without an image', 'ERR_ARGUMENT', ['info', '--volume', '/dev/vg/lv', 'text']],
    [
      'a volume told twice',
      'ERR_ARGUMENT',
      ['info', '--volume', '/dev/a/b=text', '--volume', '/dev/a/b=empty', 'text'],
    ],
    [
      'a volume told twice in two spellings',
      'ERR_ARGUMENT',
      ['info', '--volume', '/dev/a/b=text', '--volume', '/dev/mapper/a-b=empty', 'text'],
    ],
    ['a missing file', 'ERR_NOT_FOUND', ['info', 'nope']],
    ['a file below a file', 'ERR_NOT_FOUND', ['info', 'text/nope']],
    ['a folder', 'ERR_ARGUMENT', ['info', 'folder']],
    ['a character device', 'ERR_ARGUMENT', ['probe', '/dev/null']],
    ['an empty file told to be qcow2', 'ERR_NOT_THIS_FORMAT', ['info', '--format', 'qcow2', 'empty']],
    ['a text told to be qcow2', 'ERR_NOT_THIS_FORMAT', ['info', '-f', 'qcow2', 'text']],
    ['a text told to be qcow', 'ERR_NOT_THIS_FORMAT', ['info', '-f', 'qcow', 'text']],
    ['a header that is cut short', 'ERR_TRUNCATED', ['info', 'header']],
  ] as const)('%s: %s', ([, code, args]) => refused(code, args));

  it('a name that would move the cursor', async () => {
    await refused('ERR_NOT_FOUND', ['info', 'no\u001b[2J\nsuch'], '["no\\u001b[2J\\u000asuch"]');
  });

  it.runIf(process.platform === 'linux')('a FIFO, at once', async () => {
    expect(spawnSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'fifo')]).status).toBe(0);
    await refused('ERR_ARGUMENT', ['info', 'fifo']);
  });

  it.runIf(process.platform === 'linux')('a full output', async () => {
    const command = `exec "$@" > /dev/full`;
    const main = new URL('../src/main.ts', import.meta.url).pathname;
    const node = [process.execPath, '--conditions=@diskstack/source', main];
    const { status, stderr } = spawnSync('sh', ['-c', command, 'sh', ...node, 'read', 'text', '0', '5'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(stderr).toMatch(/^diskstack: ERR_IO: standard output: .+\n$/);
    expect(status).toBe(1);
  });
});

describe('--debug', () => {
  it('tells the stack below the line', async () => {
    const { status, stderr } = await diskstack(folder, 'info', '--debug', 'nope');
    expect(stderr).toMatch(/^diskstack: ERR_NOT_FOUND: \[nope\] no such file\n.*DiskError/);
    expect(stderr).toMatch(/\n +at .+\n/);
    expect(stderr).toContain('ENOENT');
    expect(status).toBe(1);
  });
});

describe('help', () => {
  it.for([['--help'], ['help'], ['help', 'map'], ['convert', '--help'], ['--version']])(
    '%j is no failure',
    async (args) => {
      expect(await output(folder, ...args)).not.toBe('');
    },
  );
});

describeWithQemu('what images name', () => {
  mkdirSync(join(folder, 'images'));
  mkdirSync(join(folder, 'other'));
  sparseFile(join(folder, 'other/base.raw'), 65_536, [[0, counting(4096)]]);
  create(folder, 'images/missing.qcow2', 'qcow2', '1M', { backing: ['gone.raw', 'raw'] });
  create(folder, 'images/outside.qcow2', 'qcow2', '1M', { backing: ['../other/base.raw', 'raw'] });
  create(folder, 'images/absolute.qcow2', 'qcow2', '1M', {
    backing: [join(folder, 'other/base.raw'), 'raw'],
  });
  create(folder, 'images/protocol.qcow2', 'qcow2', '1M', { backing: ['nbd://localhost/x', 'raw'] });
  create(folder, 'images/volume.qcow2', 'qcow2', '1M', { backing: ['/dev/vg0/base', 'raw'] });
  create(folder, 'images/format.qcow2', 'qcow2', '1M', { backing: ['outside.qcow2', 'vmdk'] });
  create(folder, 'images/first.qcow2', 'qcow2', '1M', { backing: ['second.qcow2', 'qcow2'] });
  create(folder, 'images/second.qcow2', 'qcow2', '1M', { backing: ['first.qcow2', 'qcow2'] });
  const hint = /\(--allow-backing DIR allows a further folder\)\n$/;

  it('a backing file that is missing', () =>
    refused('ERR_NOT_FOUND', ['map', 'images/missing.qcow2'], 'gone.raw'));

  it.for(['outside', 'absolute'])('a backing file outside of the folder of the image: %s', async (name) => {
    await refused('ERR_BACKING_DENIED', ['map', `images/${name}.qcow2`], hint);
    expect(await output(folder, 'map', '--allow-backing', 'other', `images/${name}.qcow2`)).toContain(
      'base.raw\n',
    );
    expect(
      await output(
        folder,
        'map',
        '--allow-backing',
        'folder',
        '--allow-backing',
        'other',
        `images/${name}.qcow2`,
      ),
    ).toContain('base.raw\n');
  });

  it('nothing is opened with --untrusted, and no option is named that would not help', async () => {
    const { status, stderr } = await diskstack(
      folder,
      'map',
      '--untrusted',
      '--allow-backing',
      'other',
      'images/outside.qcow2',
    );
    expect(stderr).toMatch(/^diskstack: ERR_BACKING_DENIED: .+\n$/);
    expect(stderr).not.toContain('--allow-backing');
    expect(status).toBe(1);
  });

  it('a name with a scheme', async () => {
    await refused('ERR_BACKING_DENIED', ['map', 'images/protocol.qcow2'], /nbd:/);
  });

  it('a recorded format that is not known', () =>
    refused('ERR_UNKNOWN_FORMAT', ['map', 'images/format.qcow2'], 'vmdk'));

  it('a chain that comes back to itself', () => refused('ERR_BACKING_LOOP', ['map', 'images/first.qcow2']));

  it('a logical volume, which --volume declares', async () => {
    await refused('ERR_BACKING_DENIED', ['read', 'images/volume.qcow2', '0', '1']);
    for (const path of ['/dev/vg0/base', '/dev/mapper/vg0-base']) {
      const volume = ['--volume', `${path}=other/base.raw`];
      const { stdout } = await diskstack(
        folder,
        'read',
        '--raw',
        ...volume,
        'images/volume.qcow2',
        '0',
        '4k',
      );
      expect(stdout.equals(counting(4096))).toBe(true);
      const chain = JSON.parse(
        await output(folder, 'info', '--backing-chain', '--output', 'json', ...volume, 'images/volume.qcow2'),
      );
      expect(chain.map((report: Record<string, string>) => report['disk-type'])).toEqual([
        'QCOW',
        'RAW-LVM2',
      ]);
      expect(chain[1]).toMatchObject({ filename: '/dev/vg0/base', 'virtual-size': 65_536 });
    }
    await refused(
      'ERR_NOT_FOUND',
      ['read', '--volume', '/dev/vg0/base=nope', 'images/volume.qcow2', '0', '1'],
      'nope',
    );
  });
});
