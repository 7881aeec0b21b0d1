import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { patch, tablesOf, writeU64 } from '../support/qcow2-bytes.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const image = join(folder, 'image.qcow2');

describeWithQemu('bitmaps', () => {
  create(folder, 'image.qcow2', 'qcow2', '10M');
  qemuImg(folder, 'bitmap', '--add', 'image.qcow2', 'all');
  qemuImg(folder, 'bitmap', '--add', '-g', '4k', 'image.qcow2', 'fine');
  qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 1 0 10k', 'write -P 2 5M 1M');
  qemuImg(folder, 'bitmap', '--add', '--disable', 'image.qcow2', 'off\u001b[2J');

  it('are listed', async () => {
    expect(await jsonOf('bitmaps', image)).toEqual([
      { name: 'all', granularity: 65_536, flags: ['auto'], consistent: true },
      { name: 'fine', granularity: 4096, flags: ['auto'], consistent: true },
      { name: 'off\u001b[2J', granularity: 65_536, flags: [], consistent: true },
    ]);
    const { stdout } = await runHere('bitmaps', image);
    expect(stdout.toString().split('\n').slice(1)).toEqual([
      '64 KiB          yes             auto            all',
      '4 KiB           yes             auto            fine',
      '64 KiB          yes             -               "off\\u001b[2J"',
      '',
    ]);
  });

  it('tell what is dirty', async () => {
    const MiB = 1 << 20;
    expect(await jsonOf('bitmaps', image, 'fine')).toEqual([
      { start: 0, length: 12_288, dirty: true },
      { start: 12_288, length: 5 * MiB - 12_288, dirty: false },
      { start: 5 * MiB, length: MiB, dirty: true },
      { start: 6 * MiB, length: 4 * MiB, dirty: false },
    ]);
    const { stdout } = await runHere('bitmaps', image, 'all');
    expect(stdout.toString().replaceAll(/ +/g, ' ')).toBe(
      'Offset Length State\n0x0 0x10000 dirty\n0x10000 0x4f0000 clean\n0x500000 0x100000 dirty\n0x600000 0x400000 clean\n',
    );
  });

  it('are none in an image without any, and refused for other formats', async () => {
    create(folder, 'none.qcow2', 'qcow2', '1M');
    create(folder, 'disk.raw', 'raw', '1M');
    expect(await jsonOf('bitmaps', join(folder, 'none.qcow2'))).toEqual([]);
    expect((await runHere('bitmaps', join(folder, 'none.qcow2'))).stdout.toString()).toContain('no bitmaps');
    const { status, stderr } = await runHere('bitmaps', join(folder, 'disk.raw'));
    expect(stderr).toMatch(/^diskstack: ERR_UNSUPPORTED: .+\n$/);
    expect(status).toBe(1);
  });

  it('of another name are an error', async () => {
    const { status, stderr } = await runHere('bitmaps', image, 'nope');
    expect(stderr).toMatch(/^diskstack: ERR_NOT_FOUND: .+"nope"\n$/);
    expect(status).toBe(1);
  });

  it('that may be out of date are told as such', async () => {
    create(folder, 'stale.qcow2', 'qcow2', '1M');
    qemuImg(folder, 'bitmap', '--add', 'stale.qcow2', 'one');
    patch(join(folder, 'stale.qcow2'), 95, Uint8Array.of(0)); // autoclear feature bit 0
    const { stdout, stderr } = await runHere('bitmaps', join(folder, 'stale.qcow2'));
    expect(stdout.toString()).toMatch(/ no +auto +one\n/);
    expect(stderr).toMatch(/^diskstack: warning: .+\n$/);
    const asked = await runHere('bitmaps', join(folder, 'stale.qcow2'), 'one');
    expect(asked).toMatchObject({ status: 1, stdout: Buffer.alloc(0) });
    expect(asked.stderr).toMatch(/^diskstack: ERR_CORRUPT: .+"one" is inconsistent.+\n$/);
    expect((await runHere('bitmap', '--remove', join(folder, 'stale.qcow2'), 'two')).status).toBe(1);
    expect((await runHere('bitmap', '--remove', join(folder, 'stale.qcow2'), 'one')).status).toBe(0);
    expect(await jsonOf('bitmaps', join(folder, 'stale.qcow2'))).toEqual([]);
  });

  it('that cannot be read are an error, and not none', async () => {
    create(folder, 'lost.qcow2', 'qcow2', '1M');
    qemuImg(folder, 'bitmap', '--add', 'lost.qcow2', 'one');
    const bytes = readFileSync(join(folder, 'lost.qcow2'));
    const extension = bytes.indexOf(Uint8Array.of(0x23, 0x85, 0x28, 0x75));
    patch(join(folder, 'lost.qcow2'), extension + 24, Uint8Array.of(0, 0, 1)); // the directory is past the end
    const { status, stdout, stderr } = await runHere('bitmaps', join(folder, 'lost.qcow2'));
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^diskstack: ERR_TRUNCATED: .+\n$/);
  });

  it('say that all has changed once a repair has dropped an entry', async () => {
    const path = join(folder, 'repaired.qcow2');
    create(folder, 'repaired.qcow2', 'qcow2', '10M');
    qemuIo(folder, 'repaired.qcow2', 'qcow2', 'write -P 1 0 1M');
    qemuImg(folder, 'bitmap', '--add', 'repaired.qcow2', 'one');
    writeU64(path, tablesOf(path).l2, 0x8000_7fff_ffff_0000n); // a cluster far behind the end of the file
    expect((await runHere('check', '-r', 'all', path)).status).toBe(0);
    expect(await jsonOf('bitmaps', path, 'one')).toEqual([{ start: 0, length: 10 << 20, dirty: true }]);
    expect(qemuImg(folder, 'check', 'repaired.qcow2')).toContain('No errors');
  });
});
