import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { counting, sparseFile } from '../support/images.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { diskstack, output } from '../support/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();

sparseFile(join(folder, 'a.raw'), 9 << 20, [
  [4096, counting(8192)],
  [6 << 20, counting(70_000)],
]);
sparseFile(join(folder, 'longer.raw'), 11 << 20, [
  [4096, counting(8192)],
  [6 << 20, counting(70_000)],
]);
sparseFile(join(folder, 'longer-with-data.raw'), 11 << 20, [
  [4096, counting(8192)],
  [6 << 20, counting(70_000)],
  [(10 << 20) + 77, Uint8Array.of(1)],
]);
const changed = counting(70_000);
changed[69_999] = 255 - (changed[69_999] ?? 0);
sparseFile(join(folder, 'changed.raw'), 9 << 20, [
  [4096, counting(8192)],
  [6 << 20, changed],
]);
sparseFile(join(folder, 'hole.raw'), 9 << 20, []);
writeFileSync(join(folder, 'qcow2-header.raw'), Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3));

const compared = async (...args: string[]) => {
  const { status, stdout, stderr } = await diskstack(folder, 'compare', ...args);
  return { status, stdout: stdout.toString(), stderr };
};

it('finds the same content identical', async () => {
  expect(await compared('a.raw', 'a.raw')).toEqual({
    status: 0,
    stdout: 'Images are identical.\n',
    stderr: '',
  });
});

it.for([
  ['a.raw', 'changed.raw', (6 << 20) + 69_999],
  ['changed.raw', 'a.raw', (6 << 20) + 69_999],
  ['a.raw', 'hole.raw', 4096],
  ['hole.raw', 'a.raw', 4096],
  ['a.raw', 'longer-with-data.raw', (10 << 20) + 77],
  ['longer-with-data.raw', 'a.raw', (10 << 20) + 77],
] as const)('tells %s and %s apart at byte %i', async ([first, second, offset]) => {
  expect(await compared(first, second)).toEqual({
    status: 1,
    // As in qemu-img, the warning comes before what lies past the end of the shorter one is looked at.
    stdout: `${[first, second].includes('longer-with-data.raw') ? 'Warning: Image size mismatch!\n' : ''}Content mismatch at offset ${offset}!\n`,
    stderr: '',
  });
});

it('finds a longer disk identical when the rest of it is zeroes', async () => {
  const stdout = 'Warning: Image size mismatch!\nImages are identical.\n';
  expect(await compared('a.raw', 'longer.raw')).toEqual({ status: 0, stdout, stderr: '' });
  expect(await compared('longer.raw', 'a.raw')).toEqual({ status: 0, stdout, stderr: '' });
});

it('tells programs', async () => {
  const json = async (...args: string[]) => JSON.parse((await compared('--output', 'json', ...args)).stdout);
  expect(await json('a.raw', 'a.raw')).toEqual({ identical: true, sizesDiffer: false });
  expect(await json('a.raw', 'longer.raw')).toEqual({ identical: true, sizesDiffer: true });
  expect(await json('a.raw', 'hole.raw')).toEqual({ identical: false, offset: 4096 });
});

it('ends with 2 when something is wrong', async () => {
  for (const args of [
    ['a.raw', 'nope.raw'],
    ['a.raw'],
    ['--nope', 'a.raw', 'a.raw'],
    ['-F', 'qcow2', 'a.raw', 'a.raw'],
  ]) {
    const { status, stdout, stderr } = await compared(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: .+\n$/);
  }
});

it('obeys the format of each image', async () => {
  expect(await compared('-f', 'raw', '-F', 'raw', 'qcow2-header.raw', 'qcow2-header.raw')).toMatchObject({
    status: 0,
  });
  expect(await compared('-f', 'raw', 'qcow2-header.raw', 'qcow2-header.raw')).toMatchObject({ status: 2 });
});

describeWithQemu('compare of images', () => {
  it('of different formats and shapes', async () => {
    qemuImg(folder, 'convert', '-f', 'raw', '-c', '-O', 'qcow2', 'a.raw', 'a.qcow2');
    create(folder, 'over.qcow2', 'qcow2', '9M', { backing: ['a.qcow2', 'qcow2'] });
    expect(await output(folder, 'compare', 'a.raw', 'over.qcow2')).toBe('Images are identical.\n');
    qemuIo(folder, 'over.qcow2', 'qcow2', 'write -P 0 4096 512');
    expect((await compared('a.raw', 'over.qcow2')).stdout).toBe('Content mismatch at offset 4096!\n');
  });
});
