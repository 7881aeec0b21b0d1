import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { counting, sparseFile } from '../support/images.ts';
import { create, describeWithQemu, qemuIo } from '../support/qemu.ts';
import { diskstack, finished, output, start } from '../support/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const content = counting(3_000_001);
writeFileSync(join(folder, 'disk.raw'), content);
writeFileSync(join(folder, 'text.raw'), 'Plain ASCII ~ and\n\u00e9\u007f.');

async function rawBytes(...args: string[]): Promise<Buffer> {
  const { status, stdout, stderr } = await diskstack(folder, 'read', '--raw', ...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe('read', () => {
  it('prints 16 bytes a line, in hexadecimal and as ASCII', async () => {
    expect(await output(folder, 'read', 'text.raw', '0', '1k')).toBe(
      [
        '00000000  50 6c 61 69 6e 20 41 53  43 49 49 20 7e 20 61 6e  |Plain ASCII ~ an|',
        '00000010  64 0a c3 a9 7f 2e                                 |d.....|',
        '',
      ].join('\n'),
    );
  });

  it('starts the first line at the offset', async () => {
    expect(await output(folder, 'read', 'text.raw', '0x6', '5')).toBe(
      '00000006  41 53 43 49 49                                    |ASCII|\n',
    );
  });

  it('goes on over many pieces without a seam', async () => {
    const dump = await output(folder, 'read', 'disk.raw', '3', '1M');
    const lines = dump.trimEnd().split('\n');
    expect(lines).toHaveLength(65_536);
    lines.forEach((line, index) => {
      if (Number.parseInt(line.slice(0, 8), 16) !== 3 + index * 16)
        throw new Error(`line ${index} is ${line}`);
    });
    const bytes = Buffer.from(lines.map((line) => line.slice(10, 58).replaceAll(' ', '')).join(''), 'hex');
    expect(bytes.equals(content.subarray(3, 3 + (1 << 20)))).toBe(true);
  });

  it('widens the offsets of a large disk, all of them alike', async () => {
    sparseFile(join(folder, 'large.raw'), 2 ** 32 + 16, []);
    const dump = await output(folder, 'read', 'large.raw', '4294967280', '32');
    expect(dump.split('\n').map((line) => line.slice(0, 9))).toEqual(['0fffffff0', '100000000', '']);
  });

  it.for([
    ['0', '3000001', 0, 3_000_001],
    ['1', '2M', 1, 1 + (2 << 20)],
    ['1k', '0x10', 1024, 1040],
    ['0x100', '1K', 256, 1280],
    ['1M', '1T', 1 << 20, 3_000_001],
    ['3000000', '2', 3_000_000, 3_000_001],
    ['3000001', '1', 0, 0],
    ['1G', '1G', 0, 0],
    ['5', '0', 0, 0],
  ] as const)('--raw gives the bytes from %s, length %s', async ([offset, length, from, to]) => {
    const bytes = await rawBytes('disk.raw', offset, length);
    expect(bytes.equals(content.subarray(from, to))).toBe(true);
  });

  it.for([
    ['1X', '1', 'OFFSET'],
    ['-1', '1', 'OFFSET'],
    ['0', '1.5', 'LENGTH'],
  ])('refuses what is no number of bytes: %s %s', async ([offset = '', length = '', what = '']) => {
    const { status, stderr } = await diskstack(folder, 'read', '--', 'disk.raw', offset, length);
    expect(stderr).toMatch(new RegExp(`^diskstack: ERR_ARGUMENT: ${what} ".*" is .+\n$`));
    expect(status).toBe(1);
  });

  it.for([[], ['--raw']])('ends quietly when nobody reads on (%j)', async (options) => {
    sparseFile(join(folder, 'endless.raw'), 2 ** 40, []);
    const child = start(['read', ...options, 'endless.raw', '0', '1T'], folder);
    child.stdout?.once('data', () => child.stdout?.destroy());
    const { status, stderr } = await finished(child);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describeWithQemu('read from a chain', () => {
  it('gives the bytes of every layer', async () => {
    sparseFile(join(folder, 'base.raw'), 1 << 20, [[0, content.subarray(0, 200_000)]]);
    create(folder, 'top.qcow2', 'qcow2', '2M', { backing: ['base.raw', 'raw'] });
    qemuIo(folder, 'top.qcow2', 'qcow2', 'write -P 9 64k 64k', 'write -c -P 8 1M 64k');
    const expected = Buffer.alloc(2 << 20);
    expected.set(content.subarray(0, 200_000));
    expected.fill(9, 65_536, 131_072).fill(8, 1 << 20, (1 << 20) + 65_536);
    expect((await rawBytes('top.qcow2', '0', '2M')).equals(expected)).toBe(true);
    expect((await rawBytes('top.qcow2', '65530', '12')).equals(expected.subarray(65_530, 65_542))).toBe(true);
  });
});
