import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { create, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const image = join(folder, 'image.qcow2');

describeWithQemu('--snapshot', () => {
  create(folder, 'image.qcow2', 'qcow2', '4M');
  qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 1 0 1M');
  qemuImg(folder, 'snapshot', '-c', 'first', 'image.qcow2');
  qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 2 64k 128k', 'write -c -P 3 3M 64k');
  qemuImg(folder, 'snapshot', '-c', 'second one', 'image.qcow2');
  qemuIo(folder, 'image.qcow2', 'qcow2', 'write -z 0 64k', 'write -P 4 2M 64k');
  for (const name of ['first', 'second one'])
    qemuImg(folder, 'convert', '-O', 'raw', '-l', `snapshot.name=${name}`, 'image.qcow2', `${name}.raw`);

  it.for([
    ['first', 'first'],
    ['1', 'first'],
    ['second one', 'second one'],
    ['2', 'second one'],
  ] as const)('%s is what qemu-img converts', async ([snapshot, name]) => {
    const args = ['--snapshot', snapshot, image];
    const plain = readFileSync(join(folder, `${name}.raw`));
    expect(await runHere('convert', ...args, join(folder, 'out'))).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(folder, 'out')).equals(plain)).toBe(true);
    expect(await runHere('compare', ...args, join(folder, `${name}.raw`))).toMatchObject({ status: 0 });
    const { stdout } = await runHere('read', '--raw', ...args, '60k', '70000');
    expect(stdout.equals(plain.subarray(60 * 1024, 60 * 1024 + 70_000))).toBe(true);
  });

  it('is of the first image that is compared', async () => {
    expect(await runHere('compare', '--snapshot', 'first', image, image)).toMatchObject({ status: 1 });
  });

  it('maps that state', async () => {
    const active = await jsonOf('map', image);
    const first = await jsonOf('map', '--snapshot', 'first', image);
    expect(first).not.toEqual(active);
    expect(first).toMatchObject([
      { start: 0, length: 1 << 20, data: true },
      { start: 1 << 20, length: 3 << 20, present: false },
    ]);
  });

  it('keeps the size that the disk had', async () => {
    create(folder, 'grown.qcow2', 'qcow2', '1M');
    qemuImg(folder, 'snapshot', '-c', 'small', 'grown.qcow2');
    qemuImg(folder, 'resize', '-q', 'grown.qcow2', '5M');
    await runHere('convert', '--snapshot', 'small', join(folder, 'grown.qcow2'), join(folder, 'small'));
    expect(readFileSync(join(folder, 'small'))).toHaveLength(1 << 20);
  });

  it('that is not there is an error that lists what is there', async () => {
    const { status, stderr } = await runHere('map', '--snapshot', 'third', image);
    expect(stderr).toMatch(/^diskstack: ERR_NOT_FOUND: .+"first".+"second one"\n$/);
    expect(status).toBe(1);
  });

  it('is refused for a format without snapshots', async () => {
    const { status, stderr } = await runHere('map', '--snapshot', '1', join(folder, 'first.raw'));
    expect(stderr).toMatch(/^diskstack: ERR_UNSUPPORTED: .+\n$/);
    expect(status).toBe(1);
  });
});

describeWithQemu('snapshot -l', () => {
  it('prints the table of qemu-img', async () => {
    const { stdout } = await runHere('snapshot', '-l', image);
    expect(stdout.toString()).toBe(qemuImg(folder, 'snapshot', '-l', 'image.qcow2'));
    expect(stdout.toString()).toContain('second one');
  });

  it('prints nothing where there are none', async () => {
    for (const path of [join(folder, 'first.raw'), join(folder, 'none.qcow2')]) {
      create(folder, 'none.qcow2', 'qcow2', '1M');
      expect(await runHere('snapshot', path)).toMatchObject({
        status: 0,
        stdout: Buffer.alloc(0),
        stderr: '',
      });
      expect(await jsonOf('snapshot', path)).toEqual([]);
    }
  });

  it('has the keys of info', async () => {
    const { snapshots } = (await jsonOf('info', image)) as { snapshots: unknown };
    expect(await jsonOf('snapshot', image)).toEqual(snapshots);
  });
});
