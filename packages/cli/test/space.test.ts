import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openHost } from '@diskstack/host';
import { describe, expect, test } from 'vitest';
import { counting, sparseFile } from './support/images.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from './support/qemu.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

// The space that commands free and reserve, by `stat`, and the bytes of the disks, by qemu-img.

const KiB = 1024;
const MiB = 1024 * KiB;
const folder = tempFolder();
const { space } = await openHost();
let count = 0;

const taken = (path: string): number => statSync(path).blocks * 512;

async function good(...args: string[]): Promise<void> {
  const { status, stderr } = await runHere(...args);
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
}

function sound(image: string): void {
  expect(qemuImg(folder, 'check', '-f', 'qcow2', image)).toContain('No errors were found');
}

describeWithQemu('space', () => {
  const withHost = describe.runIf(space !== undefined);

  const SHAPES = [
    'cluster_size=4k',
    'cluster_size=64k',
    'cluster_size=64k,extended_l2=on',
    'compat=0.10',
  ] as const;

  withHost.for(SHAPES)('of a QCOW2 image (%s)', (options) => {
    /** An image with 8 MiB of data, and a raw file with its content. */
    function image(): { readonly path: string; readonly content: string } {
      const path = join(folder, `${count++}.qcow2`);
      create(folder, path, 'qcow2', '16M', { o: options });
      qemuIo(folder, path, 'qcow2', 'write -P 1 0 4M', 'write -P 2 8M 4M');
      return { path, content: `${path}.raw` };
    }

    test('that a discard frees goes back to the file system', async () => {
      const { path, content } = image();
      const before = taken(path);
      await good('discard', path, '1M', '2M');
      sound(path);
      qemuImg(folder, 'convert', '-O', 'raw', path, content);
      const expected = new Uint8Array(16 * MiB).fill(1, 0, 4 * MiB).fill(2, 8 * MiB, 12 * MiB);
      expected.fill(0, MiB, 3 * MiB);
      expect(Buffer.compare(readFileSync(content), expected)).toBe(0);
      expect(before - taken(path)).toBeGreaterThan(1.9 * MiB);
    });

    test('that a deleted snapshot frees goes back, and nothing of the others', async () => {
      const { path, content } = image();
      await good('snapshot', '-c', 'one', path);
      qemuIo(folder, path, 'qcow2', 'write -P 3 0 3M');
      await good('snapshot', '-c', 'two', path);
      qemuIo(folder, path, 'qcow2', 'write -P 4 1M 1M');
      qemuImg(folder, 'convert', '-O', 'raw', path, content);
      qemuImg(folder, 'convert', '-l', 'two', '-O', 'raw', path, `${content}.two`);
      const before = taken(path);
      await good('snapshot', '-d', 'one', path);
      sound(path);
      expect(before - taken(path)).toBeGreaterThan(2.9 * MiB);
      qemuImg(folder, 'compare', '-F', 'raw', path, content);
      qemuImg(folder, 'convert', '-l', 'two', '-O', 'raw', path, `${content}.again`);
      expect(Buffer.compare(readFileSync(`${content}.again`), readFileSync(`${content}.two`))).toBe(0);
    });
  });

  withHost('of a raw file', () => {
    test('is freed by discard and by zeroes with --unmap, and kept by zeroes without', async () => {
      const path = join(folder, 'plain.raw');
      const content = counting(8 * MiB);
      writeFileSync(path, content);
      await good('discard', '-f', 'raw', path, '1M', '1M');
      content.fill(0, MiB, 2 * MiB);
      expect(Buffer.compare(readFileSync(path), content)).toBe(0);
      expect(taken(path)).toBe(7 * MiB);
      await good('write', '-f', 'raw', path, '4M', '--zeroes', '--length', '2M', '--unmap');
      content.fill(0, 4 * MiB, 6 * MiB);
      expect(Buffer.compare(readFileSync(path), content)).toBe(0);
      expect(taken(path)).toBe(5 * MiB);
      await good('write', '-f', 'raw', path, '0', '--zeroes', '--length', '512k');
      content.fill(0, 0, 512 * KiB);
      expect(Buffer.compare(readFileSync(path), content)).toBe(0);
      expect(taken(path)).toBe(5 * MiB);
    });

    test('becomes holes where a commit writes zeroes', async () => {
      const [base, top] = [join(folder, 'base.raw'), join(folder, 'top.qcow2')];
      writeFileSync(base, counting(8 * MiB));
      create(folder, top, 'qcow2', '8M', { backing: [base, 'raw'] });
      qemuIo(folder, top, 'qcow2', 'write -z 1M 4M', 'write -P 7 6M 64k');
      qemuImg(folder, 'convert', '-O', 'raw', top, 'expected.raw');
      await good('commit', top);
      expect(Buffer.compare(readFileSync(base), readFileSync(join(folder, 'expected.raw')))).toBe(0);
    });
  });

  test.for(['raw', 'qcow2'])('of a %s image is reserved by preallocation=falloc', async (format) => {
    const path = join(folder, `falloc.${format}`);
    await good('create', '-q', '-f', format, '-o', 'preallocation=falloc', path, '32M');
    expect(taken(path)).toBeGreaterThanOrEqual(32 * MiB);
    create(folder, 'empty.raw', 'raw', '32M');
    qemuImg(folder, 'compare', '-f', format, '-F', 'raw', path, 'empty.raw');
    if (format === 'qcow2') sound(path);
    await good('resize', '-q', '-f', format, '--preallocation', 'falloc', path, '40M');
    expect(taken(path)).toBeGreaterThanOrEqual(40 * MiB);
    create(folder, 'longer.raw', 'raw', '40M');
    qemuImg(folder, 'compare', '-f', format, '-F', 'raw', path, 'longer.raw');
  });

  withHost('of a target that exists', () => {
    test('becomes holes where the source has them', async () => {
      const [source, target] = [join(folder, 'holes.raw'), join(folder, 'target.raw')];
      sparseFile(source, 16 * MiB, [
        [MiB, counting(MiB)],
        [9 * MiB + 4096, counting(8192)],
      ]);
      writeFileSync(target, new Uint8Array(16 * MiB).fill(9));
      await good('convert', '-n', '-f', 'raw', '-O', 'raw', source, target);
      expect(Buffer.compare(readFileSync(target), readFileSync(source))).toBe(0);
      expect(taken(target)).toBeLessThan(4 * MiB);
    });
  });
});
