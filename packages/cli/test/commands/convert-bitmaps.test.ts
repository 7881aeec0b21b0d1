import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readU64, writeU64 } from '../support/qcow2-bytes.ts';
import { create, describeWithQemu, qemuImg, qemuIo, tryQemuImg } from '../support/qemu.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

/** What the bitmaps of an image are, as qemu-img reports them, and what each says. */
async function bitmapsOf(name: string): Promise<unknown> {
  const info = JSON.parse(qemuImg(folder, 'info', '-f', 'qcow2', '--output', 'json', name)) as {
    'format-specific': { data: { bitmaps?: { name: string; flags: string[] }[] } };
  };
  const { bitmaps = [] } = info['format-specific'].data;
  const contents: unknown[] = [];
  for (const bitmap of bitmaps)
    contents.push(
      bitmap.flags.includes('in-use') ? 'in-use' : await jsonOf('bitmaps', at(name), bitmap.name),
    );
  return { bitmaps, contents };
}

/** Marks the first bitmap of an image in use, as a writer that crashed leaves it. */
function breakBitmap(path: string): void {
  for (let at = 104; at < 512; at += 8) {
    if (readU64(path, at) >> 32n !== 0x2385_2875n) continue; // the extension about bitmaps
    const entry = Number(readU64(path, at + 24)); // the directory, and its first entry
    writeU64(path, entry + 8, readU64(path, entry + 8) | 1n); // flags are the bytes 12 to 15: bit 0 is in_use
    return;
  }
  throw new Error(`${path} has no bitmaps`);
}

describeWithQemu('convert --bitmaps', () => {
  beforeAll(() => {
    create(folder, 'source.qcow2', 'qcow2', '20M');
    qemuIo(folder, 'source.qcow2', 'qcow2', 'write -P 5 1M 100k');
    qemuImg(folder, 'bitmap', '--add', '-g', '64k', 'source.qcow2', 'b0');
    qemuImg(folder, 'bitmap', '--add', '-g', '4k', 'source.qcow2', 'b1');
    qemuIo(folder, 'source.qcow2', 'qcow2', 'write -P 6 3M 10k', 'write -P 7 19M 1M');
    qemuImg(folder, 'bitmap', '--disable', 'source.qcow2', 'b1');
    copyFileSync(at('source.qcow2'), at('broken.qcow2'));
    breakBitmap(at('broken.qcow2'));
  });

  test.each([[], ['-c'], ['-o', 'cluster_size=4k'], ['-n']])(
    '%j: those of qemu-img, with their bits',
    async (...flags) => {
      for (const name of ['theirs.qcow2', 'ours.qcow2']) create(folder, name, 'qcow2', '20M');
      const args = ['convert', '--bitmaps', '-f', 'qcow2', '-O', 'qcow2', ...flags];
      qemuImg(folder, ...args, 'source.qcow2', 'theirs.qcow2');
      const { status, stderr } = await runHere(...args, at('source.qcow2'), at('ours.qcow2'));
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(await bitmapsOf('ours.qcow2')).toEqual(await bitmapsOf('theirs.qcow2'));
      expect(qemuImg(folder, 'check', 'ours.qcow2')).toContain('No errors');
    },
  );

  test('an inconsistent one is refused before anything is made, or left out with a warning', async () => {
    const args = ['convert', '--bitmaps', '-f', 'qcow2', '-O', 'qcow2'];
    expect(tryQemuImg(folder, ...args, 'broken.qcow2', 'none.qcow2').status).toBe(1);
    const refused = await runHere(...args, at('broken.qcow2'), at('none.qcow2'));
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('--skip-broken-bitmaps');
    expect(readdirSync(folder)).not.toContain('none.qcow2');
    const skipping = [...args, '--skip-broken-bitmaps'];
    qemuImg(folder, ...skipping, 'broken.qcow2', 'theirs.qcow2');
    const { status, stderr } = await runHere(...skipping, at('broken.qcow2'), at('ours.qcow2'));
    expect(status).toBe(0);
    expect(stderr).toMatch(/^diskstack: warning: the inconsistent bitmap "b\d" is left out\n$/);
    expect(await bitmapsOf('ours.qcow2')).toEqual(await bitmapsOf('theirs.qcow2'));
  });

  test('a source or an output that cannot have bitmaps is refused before anything is made', async () => {
    writeFileSync(at('plain.raw'), new Uint8Array(512));
    for (const [image, ...flags] of [
      ['plain.raw', '-f', 'raw'],
      ['source.qcow2', '-o', 'compat=0.10'],
      ['source.qcow2', '-O', 'raw'],
    ] as const) {
      const args = ['convert', '--bitmaps', '-f', 'qcow2', '-O', 'qcow2', ...flags];
      expect(tryQemuImg(folder, ...args, image, 'qemu.out').status).toBe(1);
      const { status, stderr } = await runHere(...args, at(image), at('none.qcow2'));
      expect(status).toBe(1);
      expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
      expect(readdirSync(folder)).not.toContain('none.qcow2');
    }
  });
});
