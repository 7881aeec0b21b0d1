import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { counting, sparseFile } from '../support/images.ts';
import { describeWithQemu, qemuImg } from '../support/qemu.ts';
import { diskstack } from '../support/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
sparseFile(join(folder, 'a.raw'), (9 << 20) + 512, [
  [4096, counting(8192)],
  [6 << 20, counting(70_000)],
]);
const digestOf = (algorithm: string): string =>
  createHash(algorithm)
    .update(readFileSync(join(folder, 'a.raw')))
    .digest('hex');

it('prints the line of sha256sum', async () => {
  const { status, stdout } = await diskstack(folder, 'digest', 'a.raw');
  expect({ status, stdout: stdout.toString() }).toEqual({
    status: 0,
    stdout: `${digestOf('sha256')}  a.raw\n`,
  });
});

it('refuses a digest that it does not know', async () => {
  const { status, stderr } = await diskstack(folder, 'digest', '-a', 'sha257', 'a.raw');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^diskstack: ERR_ARGUMENT: .*sha257.*\n$/);
});

describeWithQemu('an image of qemu-img', () => {
  it('has the digest of its content, whatever holds it', async () => {
    qemuImg(folder, 'convert', '-c', '-O', 'qcow2', 'a.raw', 'a.qcow2');
    const { stdout } = await diskstack(folder, 'digest', '--output', 'json', '-a', 'sha1', 'a.qcow2');
    expect(JSON.parse(stdout.toString())).toEqual({
      filename: 'a.qcow2',
      'virtual-size': (9 << 20) + 512,
      algorithm: 'sha1',
      digest: digestOf('sha1'),
    });
  });
});
