import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { counting } from '../support/images.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MIB = 1 << 20;
const folder = tempFolder();
const at = (name: string): string => join(folder, name);

async function good(...args: string[]): Promise<void> {
  const { status, stderr } = await runHere(...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

async function refused(...args: string[]): Promise<string> {
  const { status, stderr } = await runHere(...args);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
  return stderr;
}

/** Makes the same output twice, lets both programs write into it, and compares what they leave. */
async function sameAsQemu(
  make: (name: string) => void,
  format: string,
  args: readonly string[],
  source: string,
): Promise<void> {
  make('theirs');
  make('ours');
  qemuImg(folder, 'convert', '-n', '-f', 'qcow2', '-O', format, ...args, source, 'theirs');
  await good('convert', '-n', '-f', 'qcow2', '-O', format, ...args, at(source), at('ours'));
  qemuImg(folder, 'compare', '-f', format, '-F', format, 'theirs', 'ours');
  if (format === 'qcow2') expect(qemuImg(folder, 'check', '-f', format, 'ours')).toContain('No errors');
  const [theirs, ours] = ['theirs', 'ours'].map(
    (name) => JSON.parse(qemuImg(folder, 'info', '-f', format, '--output', 'json', name)) as object,
  );
  expect(ours).toMatchObject({ 'virtual-size': (theirs as Record<string, unknown>)['virtual-size'] });
}

describeWithQemu('convert -n', () => {
  beforeAll(() => {
    create(folder, 'source.qcow2', 'qcow2', '8M');
    qemuIo(
      folder,
      'source.qcow2',
      'qcow2',
      'write -P 5 1M 100k',
      'write -z 2M 640k',
      'write -P 0 4M 1M',
      'write -P 6 6M 4k',
      `write -P 7 ${8 * MIB - 102_400} 100k`,
    );
    writeFileSync(at('base.raw'), counting(12 * MIB));
  });

  const old = (name: string, size: number): void => writeFileSync(at(name), counting(size, 3));
  const image = (name: string, options = ''): void => {
    create(folder, name, 'qcow2', '10M', options === '' ? {} : { o: options });
    qemuIo(folder, name, 'qcow2', 'write -P 9 0 10M');
  };

  test('into a raw file of the same size, and of a larger one', async () => {
    for (const size of [8 * MIB, 9 * MIB + 512])
      await sameAsQemu((name) => old(name, size), 'raw', [], 'source.qcow2');
    expect(
      readFileSync(at('ours'))
        .subarray(8 * MIB)
        .equals(Buffer.from(counting(9 * MIB + 512, 3).subarray(8 * MIB))),
    ).toBe(true);
  });

  test('into a raw file keeps its inode', async () => {
    old('ours', 8 * MIB);
    const { ino } = statSync(at('ours'));
    await good('convert', '-n', '-f', 'qcow2', '-O', 'raw', at('source.qcow2'), at('ours'));
    expect(statSync(at('ours')).ino).toBe(ino);
  });

  test.each([
    '',
    'compat=0.10',
    'cluster_size=4k',
    'extended_l2=on',
    'refcount_bits=1',
    'preallocation=full',
  ])('into a full qcow2 image (%s)', async (options) => {
    await sameAsQemu((name) => image(name, options), 'qcow2', [], 'source.qcow2');
  });

  test('into an image with a snapshot, which keeps its bytes', async () => {
    await sameAsQemu(
      (name) => {
        image(name);
        qemuImg(folder, 'snapshot', '-c', 'before', name);
      },
      'qcow2',
      [],
      'source.qcow2',
    );
    qemuImg(folder, 'convert', '-l', 'before', '-O', 'raw', 'ours', 'before.raw');
    expect(readFileSync(at('before.raw')).equals(Buffer.alloc(10 * MIB, 9))).toBe(true);
  });

  test.each([[], ['-B', 'base.raw', '-F', 'raw']])('into an overlay, with %j', async (...args) => {
    await sameAsQemu(
      (name) => create(folder, name, 'qcow2', '12M', { backing: ['base.raw', 'raw'] }),
      'qcow2',
      args.length === 0 ? [] : ['-B', at('base.raw'), '-F', 'raw'],
      'source.qcow2',
    );
    expect(readFileSync(at('base.raw')).equals(Buffer.from(counting(12 * MIB)))).toBe(true);
  });

  test('with -B into an overlay that has content: it reads as the source', async () => {
    create(folder, 'ours', 'qcow2', '8M', { backing: ['base.raw', 'raw'] });
    qemuIo(folder, 'ours', 'qcow2', 'write -P 77 0 8M');
    await good(
      'convert',
      '-n',
      '-O',
      'qcow2',
      '-B',
      at('base.raw'),
      '-F',
      'raw',
      at('source.qcow2'),
      at('ours'),
    );
    qemuImg(folder, 'compare', 'source.qcow2', 'ours');
  });

  test('compressed, into an empty image', async () => {
    await sameAsQemu((name) => create(folder, name, 'qcow2', '8M'), 'qcow2', ['-c'], 'source.qcow2');
  });

  test('--target-is-zero writes no zeroes', async () => {
    await sameAsQemu(
      (name) => create(folder, name, 'qcow2', '8M'),
      'qcow2',
      ['--target-is-zero'],
      'source.qcow2',
    );
    writeFileSync(at('ours'), '');
    truncateSync(at('ours'), 8 * MIB);
    await good('convert', '-n', '-f', 'qcow2', '--target-is-zero', at('source.qcow2'), at('ours'));
    expect(statSync(at('ours')).blocks * 512).toBeLessThan(MIB);
    qemuImg(folder, 'compare', '-F', 'raw', 'source.qcow2', 'ours');
  });

  test('of a qcow2 image named as raw writes its bytes over: as qemu-img does', async () => {
    await sameAsQemu((name) => image(name), 'raw', [], 'source.qcow2');
  });

  test('is refused where the output is shorter, is not there, is an input, or has zeroes that are not its own', async () => {
    old('short.raw', 8 * MIB - 512);
    expect(await refused('convert', '-n', at('source.qcow2'), at('short.raw'))).toContain(
      'ERR_OUT_OF_BOUNDS',
    );
    expect(readFileSync(at('short.raw')).equals(Buffer.from(counting(8 * MIB - 512, 3)))).toBe(true);
    expect(await refused('convert', '-n', at('source.qcow2'), at('no.raw'))).toContain('ERR_NOT_FOUND');
    copyFileSync(at('source.qcow2'), at('copy.qcow2'));
    expect(
      await refused('convert', '-n', '-O', 'qcow2', at('copy.qcow2'), at('base.raw'), at('copy.qcow2')),
    ).toContain('the same file');
    create(folder, 'overlay.qcow2', 'qcow2', '12M', { backing: ['base.raw', 'raw'] });
    expect(
      await refused(
        'convert',
        '-n',
        '--target-is-zero',
        '-O',
        'qcow2',
        at('source.qcow2'),
        at('overlay.qcow2'),
      ),
    ).toContain('backing file');
    expect(await refused('convert', '-n', '-O', 'qcow2', at('source.qcow2'), at('base.raw'))).toContain(
      'ERR_NOT_THIS_FORMAT',
    );
  });

  test.each(['compat=0.10', 'compat=0.10,cluster_size=4k', 'compat=1.1', 'extended_l2=on'])(
    'zeroes over a base with data are zeroes in a new overlay, an empty one and a full one: %s',
    async (options) => {
      const bytes = Buffer.from(counting(4 * MIB, 5));
      writeFileSync(at('below.raw'), bytes);
      bytes.fill(0, 5 * 65_536, 25 * 65_536);
      bytes.fill(0, 3_000_000, 3_003_000);
      writeFileSync(at('zeroed.raw'), bytes);
      const base = ['-B', at('below.raw'), '-F', 'raw', '-o', options];
      await good('convert', '-f', 'raw', '-O', 'qcow2', ...base, at('zeroed.raw'), at('ours'));
      qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow2', 'zeroed.raw', 'ours');
      for (const writes of [[], ['write -P 3 0 4M']]) {
        create(folder, 'ours', 'qcow2', '4M', { o: options, backing: ['below.raw', 'raw'] });
        qemuIo(folder, 'ours', 'qcow2', ...writes, 'read 0 512');
        await good('convert', '-n', '-f', 'raw', '-O', 'qcow2', at('zeroed.raw'), at('ours'));
        qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow2', 'zeroed.raw', 'ours');
        expect(qemuImg(folder, 'check', 'ours')).toContain('No errors');
      }
    },
  );

  test('an overlay can get the content of its own base', async () => {
    create(folder, 'ours', 'qcow2', '12M', { backing: ['base.raw', 'raw'] });
    qemuIo(folder, 'ours', 'qcow2', 'write -P 77 0 8M');
    await good('convert', '-n', '-f', 'raw', '-O', 'qcow2', at('base.raw'), at('ours'));
    qemuImg(folder, 'compare', '-f', 'raw', 'base.raw', 'ours');
  });
});

const noLoop =
  process.getuid?.() !== 0 || spawnSync('losetup', ['--find']).status !== 0
    ? 'there are no loop devices for us here'
    : undefined;
if (noLoop !== undefined) console.warn(`WARNING: tests of devices as outputs are skipped: ${noLoop}`);

function device(size: number, fill: number): string {
  writeFileSync(at('device.img'), Buffer.alloc(size, fill));
  const name = execFileSync('losetup', ['--find', '--show', at('device.img')], { encoding: 'utf8' }).trim();
  onTestFinished(() => {
    execFileSync('losetup', ['--detach', name]);
  });
  return name;
}

const skipped = noLoop === undefined ? '' : ` [skipped: ${noLoop}]`;

describeWithQemu(`convert to a device${skipped}`, () => {
  test.skipIf(noLoop)('with and without -n, raw and qcow2', async () => {
    for (const flags of [[], ['-n']]) {
      const path = device(9 * MIB, 0xee);
      await good('convert', '-f', 'qcow2', ...flags, at('source.qcow2'), path);
      qemuImg(folder, 'convert', '-f', 'qcow2', '-O', 'raw', 'source.qcow2', 'source.raw');
      const bytes = readFileSync(path);
      expect(bytes.subarray(0, 8 * MIB).equals(readFileSync(at('source.raw')))).toBe(true);
      expect(bytes.subarray(8 * MIB).equals(Buffer.alloc(MIB, 0xee))).toBe(true);
    }
    const path = device(12 * MIB, 0xee);
    await good('convert', '-f', 'qcow2', '-O', 'qcow2', at('source.qcow2'), path);
    qemuImg(folder, 'compare', '-f', 'qcow2', '-F', 'qcow2', 'source.qcow2', path);
    await good('compare', '-f', 'qcow2', '-F', 'qcow2', at('source.qcow2'), path);
  });

  test.skipIf(noLoop)('a device that is too small is refused, and stays as it is', async () => {
    const path = device(7 * MIB, 0xee);
    for (const flags of [[], ['-n']])
      expect(await refused('convert', ...flags, '-f', 'qcow2', at('source.qcow2'), path)).toContain(
        'ERR_OUT_OF_BOUNDS',
      );
    expect(readFileSync(path).equals(Buffer.alloc(7 * MIB, 0xee))).toBe(true);
  });

  test.skipIf(noLoop)(
    'a device is the same as its input by any of its nodes, and as the file that it shows',
    async () => {
      const path = device(MIB, 0xee);
      const node = at('node');
      const { rdev } = statSync(path);
      execFileSync('mknod', [node, 'b', String(rdev >> 8), String(rdev & 0xff)]);
      for (const flags of [[], ['-n']])
        for (const [input, output] of [
          [path, node],
          [path, at('device.img')],
          [at('device.img'), node],
        ] as const)
          expect(await refused('convert', ...flags, '-f', 'raw', input, output)).toContain('the same file');
      expect(readFileSync(path).equals(Buffer.alloc(MIB, 0xee))).toBe(true);
    },
  );
});
