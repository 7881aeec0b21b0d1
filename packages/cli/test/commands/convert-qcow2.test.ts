import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { counting, endlessImage } from '../support/images.ts';
import { describeWithQemu, encryptedArgs, PASSPHRASE, qemuImg, tryQemuImg } from '../support/qemu.ts';
import { finished, start } from '../support/run-cli.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MIB = 1 << 20;
const folder = tempFolder();
const at = (name: string): string => join(folder, name);

/** Data, zeroes in whole clusters and in parts of them, what compresses and what does not, and an end within a cluster. */
function content(): Buffer {
  const bytes = Buffer.alloc(12 * MIB + 1024);
  bytes.set(counting(300_000), 70_000);
  bytes.fill('text that is the same again and again. ', 2 * MIB, 4 * MIB + 100);
  for (let index = 5 * MIB; index < 6 * MIB; index++)
    bytes[index] = (Math.imul(index, 2_654_435_761) >>> 21) & 0xff;
  bytes.fill(7, 9 * MIB - 1, 9 * MIB + 1);
  bytes.fill(9, bytes.length - 700);
  return bytes;
}

async function good(...args: string[]): Promise<void> {
  const { status, stderr } = await runHere(...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

describeWithQemu('convert -O qcow2', () => {
  beforeAll(() => {
    writeFileSync(at('source.raw'), content());
    const base = content();
    base.fill(0, 2 * MIB, 3 * MIB);
    base.fill(3, 7 * MIB, 7 * MIB + 5000);
    writeFileSync(at('base.raw'), base.subarray(0, 11 * MIB));
  });

  test.each([
    '',
    '-o cluster_size=512',
    '-o cluster_size=2M,refcount_bits=64',
    '-o extended_l2=on',
    '-o compat=0.10,cluster_size=4k',
    '-o preallocation=metadata',
    '-o preallocation=full',
    '-c',
    '-c -o compression_type=zstd',
    '-c -o cluster_size=512',
    '-c -o cluster_size=2M,compression_type=zstd',
    '-c -o compat=0.10',
    '-B base.raw -F raw',
    '-B base.raw -F raw -c',
    '-o data_file=d1.raw',
    '-o data_file=d2.raw,data_file_raw=on',
  ])('%s: qemu-img reads the same bytes and finds no fault', async (text) => {
    const options = text === '' ? [] : text.split(' ');
    await good('convert', '-f', 'raw', '-O', 'qcow2', ...options, at('source.raw'), at('out.qcow2'));
    const checked = tryQemuImg(folder, 'check', '-f', 'qcow2', at('out.qcow2'));
    expect(checked).toMatchObject({ status: 0, stdout: expect.stringContaining('No errors') });
    qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow2', 'source.raw', at('out.qcow2'));
    await good('check', at('out.qcow2'));
    const back = ['convert', '-f', 'qcow2', '-O', 'raw', at('out.qcow2'), at('back.raw')];
    await good(...back);
    expect(readFileSync(at('back.raw')).equals(content())).toBe(true);
  });

  test('compressed images are about as small as those of qemu-img', async () => {
    for (const type of ['zlib', 'zstd']) {
      const options = ['-O', 'qcow2', '-c', '-o', `compression_type=${type}`];
      await good('convert', '-f', 'raw', ...options, at('source.raw'), at('ours.qcow2'));
      qemuImg(folder, 'convert', '-f', 'raw', ...options, 'source.raw', 'theirs.qcow2');
      const [ours, theirs] = ['ours', 'theirs'].map((name) => readFileSync(at(`${name}.qcow2`)).length);
      expect(ours).toBeLessThanOrEqual((theirs ?? 0) + 2 * 65_536);
    }
  });

  test('an overlay holds only the differences from its base', async () => {
    await good(
      'convert',
      '-f',
      'raw',
      '-O',
      'qcow2',
      '-B',
      'base.raw',
      '-F',
      'raw',
      at('source.raw'),
      at('o.qcow2'),
    );
    const map = JSON.parse(qemuImg(folder, 'map', '--output', 'json', 'o.qcow2')) as {
      depth: number;
      length: number;
    }[];
    const own = map.filter(({ depth }) => depth === 0).reduce((sum, { length }) => sum + length, 0);
    expect(own).toBeLessThan(3 * MIB);
  });

  test('an encrypted output', async () => {
    process.env.CONVERT_KEY = PASSPHRASE;
    const luks = 'encrypt.format=luks,encrypt.iter-time=10';
    const secret = ['--secret', 'env=CONVERT_KEY'];
    await good(
      'convert',
      '-f',
      'raw',
      '-O',
      'qcow2',
      '-o',
      luks,
      ...secret,
      at('source.raw'),
      at('luks.qcow2'),
    );
    qemuImg(folder, 'convert', '-O', 'raw', ...encryptedArgs('luks.qcow2', 'qcow2'), 'luks.raw');
    expect(readFileSync(at('luks.raw')).equals(content())).toBe(true);
  });

  test.skipIf(process.platform === 'win32')(
    'Ctrl-C leaves nothing, and keeps the existing file',
    async () => {
      endlessImage(folder, 'endless.qcow2');
      writeFileSync(at('old.qcow2'), 'precious');
      const before = readdirSync(folder).sort();
      const child = start(['convert', '-p', '-O', 'qcow2', '-c', 'endless.qcow2', 'old.qcow2'], folder);
      child.stdout?.once('data', () => child.kill('SIGINT'));
      const { status } = await finished(child);
      expect(status).toBe(130);
      expect(readFileSync(at('old.qcow2'), 'utf8')).toBe('precious');
      expect(readdirSync(folder).sort()).toEqual(before);
    },
  );

  test.each(['-c', '-c -o cluster_size=512', '-c -o cluster_size=2M', ''])(
    'a disk of no whole number of sectors: %s',
    async (options) => {
      const odd = Buffer.from(counting(100_003, 5)).fill(0xa7, 99_000);
      writeFileSync(at('odd.raw'), odd);
      const flags = options === '' ? [] : options.split(' ');
      await good('convert', '-f', 'raw', '-O', 'qcow2', ...flags, at('odd.raw'), at('odd.qcow2'));
      qemuImg(folder, 'convert', '-O', 'raw', 'odd.qcow2', 'odd.back');
      expect(readFileSync(at('odd.back')).equals(Buffer.concat([odd, Buffer.alloc(100_352 - 100_003)]))).toBe(
        true,
      );
    },
  );

  test('past the end of a disk of no whole number of sectors, no byte of the base is visible', async () => {
    writeFileSync(at('short.raw'), Buffer.alloc(1_000_001));
    writeFileSync(at('long.raw'), Buffer.alloc(2 * MIB, 5));
    const onto = ['-B', 'long.raw', '-F', 'raw'];
    await good('convert', '-f', 'raw', '-O', 'qcow2', ...onto, at('short.raw'), at('short.qcow2'));
    qemuImg(folder, 'convert', '-O', 'raw', 'short.qcow2', 'short.back');
    expect(readFileSync(at('short.back')).equals(Buffer.alloc(1_000_448))).toBe(true);
  });
});

describe('wrong input', () => {
  test.each([
    [['-O', 'raw', '-c'], 'compressed'],
    [['-O', 'raw', '-B', 'x', '-F', 'raw'], 'backing'],
    [['-O', 'qcow2', '-o', 'size=1G'], 'size'],
    [['-O', 'qcow2', '-c', '-o', 'preallocation=full'], 'preallocated'],
    [['-O', 'qcow2', '-B', 'x'], '-F'],
    [['-O', 'vhdx'], '"vhdx"'],
    [['-O', 'qcow2', '-o', 'data_file=there.raw'], 'exists already'],
  ] as const)('%j is refused in one line, and no file is made', async (options, named) => {
    writeFileSync(at('small.raw'), counting(512));
    writeFileSync(at('there.raw'), 'precious');
    const { status, stderr } = await runHere('convert', '-f', 'raw', ...options, at('small.raw'), at('none'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
    expect(stderr).toContain(named);
    expect(readdirSync(folder).filter((name) => name.startsWith('none'))).toEqual([]);
    expect(readFileSync(at('there.raw'), 'utf8')).toBe('precious');
  });
});
