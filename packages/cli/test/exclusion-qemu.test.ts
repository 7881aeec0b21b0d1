import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FileDisk } from '@diskstack/core/node';
import { openHost } from '@diskstack/host';
import { describe, expect, test } from 'vitest';
import { freshImage, hasLocks, locksIn, until, WITHOUT_HOST, writer } from './support/other-writer.ts';
import { describeWithQemu, qemuImg, tryQemuImg } from './support/qemu.ts';
import { finished } from './support/run-cli.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const folder = tempFolder();

describeWithQemu('an image that QEMU has open', () => {
  /** `qemu-io` with an image until its stdin ends: it locks as a machine does. */
  async function qemu(image: string, ...args: string[]): Promise<() => Promise<void>> {
    const child = spawn('qemu-io', [...args, '-f', 'qcow2', image], { stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
    await untilLocked(image);
    return async () => {
      child.stdin?.end();
      await ended;
    };
  }

  const untilLocked = (image: string): Promise<void> => until(() => hasLocks(image));

  function freshQcow2(): { readonly at: string; readonly image: string } {
    const { at } = freshImage(folder);
    qemuImg(at, 'create', '-q', '-f', 'qcow2', 'disk.qcow2', '4M');
    return { at, image: join(at, 'disk.qcow2') };
  }

  const reading = ['info', 'map', 'check', 'digest', 'bitmaps', 'snapshot', 'inspect', 'tree', 'measure'];
  const writing = [
    (image: string) => ['resize', image, '+1M'],
    (image: string) => ['snapshot', '-c', 'one', image],
    (image: string) => ['snapshot', '-U', '-c', 'one', image],
    (image: string) => ['bitmap', '--add', image, 'b'],
    (image: string) => ['write', image, '0', '--pattern', '1', '--length', '512'],
    (image: string) => ['check', '-r', 'all', image],
    (image: string) => ['create', '-f', 'qcow2', image, '1M'],
  ];

  test('for writing is neither read nor written; -U reads it', async () => {
    const { at, image } = freshQcow2();
    const before = readFileSync(image);
    const release = await qemu(image);
    try {
      for (const command of reading) {
        const { status, stderr } = await runHere(command, image);
        expect([command, status === 0, stderr]).toEqual([
          command,
          false,
          expect.stringMatching(/process [0-9]+ \(qemu-io\) has the image open for writing/),
        ]);
        expect([command, (await runHere(command, '-U', image)).status]).toEqual([command, 0]);
      }
      for (const args of writing) {
        const { status, stderr } = await runHere(...args(image));
        expect([args(image), status, stderr]).toEqual([
          args(image),
          1,
          expect.stringContaining('ERR_LOCKED'),
        ]);
      }
      expect(tryQemuImg(at, 'info', image).status).toBe(1);
      expect(readFileSync(image)).toEqual(before);
      expect(locksIn(at)).toEqual([]);
    } finally {
      await release();
    }
    expect((await runHere('info', image)).status).toBe(0);
  });

  test('for reading is read, and not written', async () => {
    const { at, image } = freshQcow2();
    const release = await qemu(image, '-r');
    try {
      for (const command of reading)
        expect([command, (await runHere(command, image)).status]).toEqual([command, 0]);
      for (const args of writing) {
        const { status, stderr } = await runHere(...args(image));
        expect([args(image), status, stderr]).toEqual([
          args(image),
          1,
          expect.stringContaining('ERR_LOCKED'),
        ]);
      }
      expect(tryQemuImg(at, 'resize', image, '8M').status).toBe(1);
    } finally {
      await release();
    }
    expect((await runHere('resize', image, '+1M')).status).toBe(0);
  });

  test('as the base of a running overlay is not written, and may be read', async () => {
    const { at, image } = freshQcow2();
    qemuImg(at, 'create', '-q', '-f', 'qcow2', '-b', 'disk.qcow2', '-F', 'qcow2', 'top.qcow2');
    const release = await qemu(join(at, 'top.qcow2'));
    await untilLocked(image);
    try {
      expect((await runHere('resize', image, '+1M')).stderr).toContain('ERR_LOCKED');
      expect((await runHere('digest', image)).status).toBe(0);
      // The chain of a command is locked with all its files.
      qemuImg(at, 'create', '-q', '-u', '-f', 'qcow2', '-b', 'top.qcow2', '-F', 'qcow2', 'more.qcow2', '4M');
      expect((await runHere('digest', join(at, 'more.qcow2'))).stderr).toContain('top.qcow2');
    } finally {
      await release();
    }
  });
});

describeWithQemu('an image that this program has open', () => {
  const isLocking = describe.runIf(WITHOUT_HOST !== '' && existsSync('/proc/locks'));

  function overlay(): { readonly at: string; readonly image: string } {
    const { at } = freshImage(folder);
    qemuImg(at, 'create', '-q', '-f', 'qcow2', 'base.qcow2', '4M');
    qemuImg(at, 'create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', 'disk.qcow2');
    return { at, image: join(at, 'disk.qcow2') };
  }

  isLocking('with the host', () => {
    test('for writing is not opened by QEMU, its base is read, and -U reads it', async () => {
      const { at, image } = overlay();
      const child = await writer(at, image);
      const ended = finished(child);
      for (const args of [
        ['info', image],
        ['check', image],
        ['resize', image, '8M'],
        ['convert', '-O', 'raw', image, join(at, 'out.raw')],
        ['resize', join(at, 'base.qcow2'), '8M'],
      ]) {
        const { status, stderr } = tryQemuImg(at, ...args);
        expect([args, status, stderr]).toEqual([args, 1, expect.stringMatching(/Failed to get .* lock/)]);
      }
      expect(tryQemuImg(at, 'info', '-U', image).status).toBe(0);
      expect(tryQemuImg(at, 'info', 'base.qcow2').status).toBe(0);
      expect(locksIn(at)).toEqual([]);
      child.stdin?.end();
      expect((await ended).status).toBe(0);
      expect(tryQemuImg(at, 'resize', image, '8M').status).toBe(0);
    });

    test('for reading is read by QEMU, and not written', async () => {
      const { at, image } = overlay();
      const disk = new FileDisk(image, { host: openHost });
      await disk.init();
      expect(tryQemuImg(at, 'check', image).status).toBe(0);
      expect(tryQemuImg(at, 'resize', image, '8M').stderr).toMatch(/Failed to get "write" lock/);
      await disk.close();
      expect(tryQemuImg(at, 'resize', image, '8M').status).toBe(0);
    });

    test('a killed writer leaves no lock', async () => {
      const { at, image } = overlay();
      const child = await writer(at, image);
      const ended = finished(child);
      child.kill('SIGKILL');
      await ended;
      expect(tryQemuImg(at, 'resize', image, '8M').status).toBe(0);
    });
  });
});

describeWithQemu('a commit', () => {
  test('keeps writers from the overlay until it is emptied, and is kept from it by them', async () => {
    const { at } = freshImage(folder);
    qemuImg(at, 'create', '-q', '-f', 'qcow2', 'base.qcow2', '4M');
    qemuImg(at, 'create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', 'top.qcow2');
    const top = join(at, 'top.qcow2');
    const child = await writer(at, top);
    const ended = finished(child);
    const refused = await runHere('commit', top);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining(`process ${child.pid}`)]);
    child.stdin?.end(new Uint8Array(65_536).fill(5));
    await ended;
    const before = statSync(top).ino;
    expect((await runHere('commit', top)).status).toBe(0);
    expect(statSync(top).ino).not.toBe(before);
    expect((await runHere('read', '--raw', join(at, 'base.qcow2'), '0', '1')).stdout[0]).toBe(5);
    expect(locksIn(at)).toEqual([]);
  });
});
