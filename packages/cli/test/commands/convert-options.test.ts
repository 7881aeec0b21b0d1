import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { counting } from '../support/images.ts';
import { create, describeWithQemu, qemuImg, qemuIo, tryQemuImg } from '../support/qemu.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const folder = tempFolder();
const at = (name: string): string => join(folder, name);

async function good(...args: string[]): Promise<void> {
  const { status, stderr } = await runHere(...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

/** Data with runs of zeroes of many lengths, at borders of blocks and beside them. */
function spotted(): Uint8Array {
  const bytes = counting(8 * MIB);
  let offset = 64 * KIB;
  for (const length of [512, 1024, 4096, 8192, 16_384, 65_536, 131_072, 1 * MIB, 2 * MIB]) {
    bytes.fill(0, offset, offset + length); // aligned
    offset += 2 * length + 4096;
    bytes.fill(0, offset + 777, offset + 777 + length); // and not
    offset = Math.ceil((offset + length + 4096) / 65_536) * 65_536;
  }
  return bytes.subarray(0, 8 * MIB);
}

/**
 * Which bytes are data of the image, as qemu-img sees it: `start+length`. Of a raw file the first block counts as data:
 * qemu-img writes it in any case.
 */
function dataOf(name: string, format: string): string[] {
  const map = JSON.parse(qemuImg(folder, 'map', '-f', format, '--output', 'json', name)) as {
    start: number;
    length: number;
    data: boolean;
  }[];
  const runs: [number, number][] = format === 'raw' ? [[0, 4096]] : [];
  for (const { start, length, data } of map) {
    const last = runs.at(-1);
    if (!data) continue;
    if (last !== undefined && last[0] + last[1] >= start)
      last[1] = Math.max(last[1], start + length - last[0]);
    else runs.push([start, length]);
  }
  return runs.map(([start, length]) => `${start}+${length}`);
}

describeWithQemu('convert of several images', () => {
  beforeAll(() => {
    writeFileSync(at('odd.raw'), counting(70_001));
    writeFileSync(at('even.raw'), counting(131_072, 9));
    writeFileSync(at('nothing.raw'), '');
    create(folder, 'sparse.qcow2', 'qcow2', '3M');
    qemuIo(folder, 'sparse.qcow2', 'qcow2', 'write -P 5 1M 100k', 'write -z 2M 64k');
    for (const name of ['odd', 'even'])
      qemuImg(folder, 'convert', '-f', 'raw', '-O', 'qcow2', `${name}.raw`, `${name}.qcow2`);
  });

  test.each([
    ['raw', ['odd.raw', 'even.raw']],
    ['raw', ['even.raw', 'odd.raw', 'nothing.raw', 'even.raw']],
    ['raw', ['even.raw', 'even.raw', 'even.raw']],
    ['qcow2', ['odd.qcow2', 'sparse.qcow2', 'even.qcow2']],
    ['qcow2', ['sparse.qcow2', 'sparse.qcow2']],
  ] as const)('%s %j: the disks in a row', async (format, images) => {
    for (const output of ['raw', 'qcow2']) {
      qemuImg(folder, 'convert', '-f', format, '-O', output, ...images, 'theirs');
      await good('convert', '-f', format, '-O', output, ...images.map(at), at('ours'));
      qemuImg(folder, 'compare', '-f', output, '-F', output, 'theirs', 'ours');
      expect(dataOf('ours', output)).toEqual(dataOf('theirs', output));
      if (output === 'raw') expect(statSync(at('ours')).size).toBe(sizeOfRow(images));
    }
  });

  /** Every disk but the last is padded to whole sectors. */
  function sizeOfRow(images: readonly string[]): number {
    const sizes = images.map((name) => {
      const format = name.endsWith('.raw') ? 'raw' : 'qcow2';
      if (format === 'raw') return statSync(at(name)).size;
      const info = qemuImg(folder, 'info', '-f', format, '--output', 'json', name);
      return (JSON.parse(info) as { 'virtual-size': number })['virtual-size'];
    });
    const last = sizes.at(-1) ?? 0;
    return sizes.slice(0, -1).reduce((sum, size) => sum + Math.ceil(size / 512) * 512, last);
  }

  test('none of them is written over', async () => {
    writeFileSync(at('last.raw'), counting(512));
    for (const output of ['odd.raw', 'even.raw', 'last.raw']) {
      const inputs = ['odd.raw', 'even.raw', 'last.raw'].map(at);
      const { status, stderr } = await runHere('convert', '-f', 'raw', ...inputs, at(output));
      expect(status).toBe(1);
      expect(stderr).toContain('the same file as the input');
    }
    expect(statSync(at('last.raw')).size).toBe(512);
  });
});

describeWithQemu('convert -S', () => {
  beforeAll(() => {
    writeFileSync(at('spotted.raw'), spotted());
    writeFileSync(at('zero.raw'), new Uint8Array(MIB));
    create(folder, 'holes.qcow2', 'qcow2', '4M');
    qemuIo(folder, 'holes.qcow2', 'qcow2', 'write -P 5 1M 100k', 'write -z 2M 64k', 'write -P 6 3M 4k');
  });

  const sizes = ['0', '512', '4k', '8k', '64k', '128k', '1M', '2M'];
  test.each(
    sizes.flatMap(
      (size) =>
        [
          ['raw', size],
          ['qcow2', size],
        ] as const,
    ),
  )('to %s, -S %s: the same bytes, and space for the same of them', async (output, size) => {
    for (const [format, image] of [
      ['raw', 'spotted.raw'],
      ['raw', 'zero.raw'],
      ['qcow2', 'holes.qcow2'],
    ] as const) {
      const args = ['convert', '-f', format, '-O', output, '-S', size];
      qemuImg(folder, ...args, image, 'theirs');
      await good(...args, at(image), at('ours'));
      qemuImg(folder, 'compare', '-f', output, '-F', output, 'theirs', 'ours');
      expect(dataOf('ours', output)).toEqual(dataOf('theirs', output));
    }
  });

  test('a raw output of -S 0 takes all of its space', async () => {
    await good('convert', '-f', 'qcow2', '-S', '0', at('holes.qcow2'), at('full.raw'));
    expect(statSync(at('full.raw')).blocks * 512).toBeGreaterThanOrEqual(4 * MIB);
  });

  test('compressed zeroes of -S 0 are clusters', async () => {
    const args = ['convert', '-f', 'raw', '-O', 'qcow2', '-c', '-S', '0'];
    qemuImg(folder, ...args, 'spotted.raw', 'theirs');
    await good(...args, at('spotted.raw'), at('ours'));
    expect(dataOf('ours', 'qcow2')).toEqual(dataOf('theirs', 'qcow2'));
    qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow2', 'spotted.raw', 'ours');
    qemuImg(folder, 'check', 'ours');
  });
});

describeWithQemu('convert -l', () => {
  beforeAll(() => {
    create(folder, 'snapshots.qcow2', 'qcow2', '1M');
    for (const [index, name] of ['2', 'one', 'a,b=c'].entries()) {
      qemuIo(folder, 'snapshots.qcow2', 'qcow2', `write -P ${index + 1} 0 64k`);
      qemuImg(folder, 'snapshot', '-c', name, 'snapshots.qcow2');
    }
  });

  test.each([
    'snapshot.id=1',
    'snapshot.id=2',
    'snapshot.name=2',
    'snapshot.name=one',
    'snapshot.name=a,,b=c',
    'snapshot.id=2,snapshot.name=one',
    'snapshot.name=one,snapshot.id=2',
    'one',
    '3',
  ])('%s is the snapshot that qemu-img takes', async (choice) => {
    const args = ['convert', '-f', 'qcow2', '-O', 'raw', '-l', choice];
    qemuImg(folder, ...args, 'snapshots.qcow2', 'theirs');
    await good(...args, at('snapshots.qcow2'), at('ours'));
    expect(readFileSync(at('ours')).equals(readFileSync(at('theirs')))).toBe(true);
  });

  test.each([
    'snapshot.id=one',
    'snapshot.name=1',
    'snapshot.id=2,snapshot.name=2',
    'snapshot.foo=2',
    'snapshot.id=',
    'four',
  ])('%s is refused by both', async (choice) => {
    const args = ['convert', '-f', 'qcow2', '-O', 'raw', '-l', choice];
    expect(tryQemuImg(folder, ...args, 'snapshots.qcow2', 'none').status).toBe(1);
    const { status, stderr } = await runHere(...args, at('snapshots.qcow2'), at('none'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
    expect(readdirSync(folder)).not.toContain('none');
  });
});

describeWithQemu('options that contradict each other', () => {
  test.each([
    '--target-is-zero',
    '-n -o preallocation=off',
    '-O qcow2 -B small.raw -F raw second.raw',
    '-O qcow2 -o backing_file=small.raw,backing_fmt=raw second.raw',
    '-S 100',
    '-S 32M',
    '-S x',
    '-r x',
    '-m 0',
    '-m 17',
    '-m x',
    '-C -c -O qcow2',
    '-C -S 4k',
    '-C --salvage',
    '--bitmaps',
    '--bitmaps -O qcow2',
    '--skip-broken-bitmaps -O qcow2',
    '--bitmaps -O qcow2 second.raw',
    '-l one second.raw',
    '-n',
  ])('%s is refused by both, and nothing is made', async (text) => {
    for (const name of ['small.raw', 'second.raw']) writeFileSync(at(name), counting(4096));
    const words = text.split(' ');
    const options = words.filter((word) => !word.startsWith('second'));
    const images = ['small.raw', ...words.filter((word) => word.startsWith('second'))];
    expect(tryQemuImg(folder, 'convert', '-f', 'raw', ...options, ...images, 'missing').status).toBe(1);
    const { status, stderr } = await runHere(
      'convert',
      '-f',
      'raw',
      ...options,
      ...images.map(at),
      at('missing'),
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
    expect(stderr).not.toContain('ERR_INTERNAL');
    expect(readdirSync(folder).filter((name) => name.startsWith('missing'))).toEqual([]);
  });

  test.each(['-C', '-W', '-m 8', '-r 0', '-r 1T', '-q', '-q -p', '-U', '-t none', '-T none'])(
    '%s is taken by both, and changes no byte',
    async (text) => {
      writeFileSync(at('small.raw'), counting(4096));
      const args = ['convert', '-f', 'raw', ...text.split(' ')];
      copyFileSync(at('small.raw'), at('theirs'));
      if (!text.includes('none')) qemuImg(folder, ...args, 'small.raw', 'theirs');
      await good(...args, at('small.raw'), at('ours'));
      expect(readFileSync(at('ours')).equals(readFileSync(at('theirs')))).toBe(true);
    },
  );
});

describe('convert refuses by itself', () => {
  test('--target-is-zero with a backing file: qemu-img prints the same, and exits with 0', async () => {
    writeFileSync(at('small.raw'), counting(4096));
    const flags = ['-n', '-O', 'qcow2', '-B', at('small.raw'), '-F', 'raw', '--target-is-zero'];
    const { status, stderr } = await runHere(
      'convert',
      '-f',
      'raw',
      ...flags,
      at('small.raw'),
      at('missing'),
    );
    expect(status).toBe(1);
    expect(stderr).toContain('backing file');
  });

  test('a missing output, by its name', async () => {
    const { status, stderr } = await runHere('convert', at('small.raw'));
    expect(status).toBe(1);
    expect(stderr).toContain('the output');
  });
});
