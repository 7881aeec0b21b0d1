import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { counting } from '../support/images.ts';
import { create, describeWithQemu, qemuImg, qemuIo, tryQemuImg } from '../support/qemu.ts';
import { finished, start } from '../support/run-cli.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

describeWithQemu('dd copies what qemu-img dd copies', () => {
  beforeAll(() => {
    writeFileSync(at('odd.raw'), counting(10_000));
    create(folder, 'disk.qcow2', 'qcow2', '3M');
    qemuIo(folder, 'disk.qcow2', 'qcow2', 'write -P 5 1M 100k', 'write -z 2M 64k', 'write -P 6 3070k 2k');
  });

  const blocks = ['', 'bs=1', 'bs=512', 'bs=1k', 'bs=700', 'bs=1M', `bs=${2 ** 31 - 1}`];
  const ranges = [
    '',
    'count=0',
    'count=3',
    'count=5 skip=3',
    'count=2 skip=3',
    'skip=1',
    'skip=30',
    'count=1M',
    'skip=8000T',
  ];
  const cases = blocks.flatMap((block) => ranges.map((range) => `${block} ${range}`.trim()));

  test.each(cases)('%s', async (text) => {
    const operands = text === '' ? [] : text.split(' ');
    for (const [format, image] of [
      ['raw', 'odd.raw'],
      ['qcow2', 'disk.qcow2'],
    ] as const) {
      if (image === 'disk.qcow2' && (text.includes('bs=1 ') || text === 'bs=1')) continue; // qemu-img takes minutes
      for (const output of ['raw', 'qcow2']) {
        const args = ['dd', '-f', format, '-O', output, ...operands];
        qemuImg(folder, ...args, `if=${image}`, 'of=theirs');
        const { status } = await runHere(...args, `if=${at(image)}`, `of=${at('ours')}`);
        expect(status).toBe(0);
        qemuImg(folder, 'compare', '-f', output, '-F', output, 'theirs', 'ours');
        const [theirs, ours] = ['theirs', 'ours'].map(
          (name) =>
            (
              JSON.parse(qemuImg(folder, 'info', '-f', output, '--output', 'json', name)) as {
                'virtual-size': number;
              }
            )['virtual-size'],
        );
        expect(ours).toBe(theirs);
      }
    }
  });

  test.each([
    'if=odd.raw',
    'of=none',
    'if=odd.raw of=none foo',
    'if=odd.raw of=none seek=1',
    'if=odd.raw of=none bs=0',
    'if=odd.raw of=none bs=x',
    'if=odd.raw of=none bs=3G',
    'if=odd.raw of=none count=-1',
    'if=missing of=none',
  ])('%s is refused by both', async (text) => {
    const operands = text.split(' ');
    expect(tryQemuImg(folder, 'dd', '-f', 'raw', ...operands).status).toBe(1);
    const absolute = operands.map((word) => word.replace(/^(if|of)=/, `$1=${folder}/`));
    const { status, stderr } = await runHere('dd', '-f', 'raw', ...absolute);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
    expect(readdirSync(folder)).not.toContain('none');
  });

  test('a part that begins past the end is reported, and is empty', async () => {
    const { status, stderr } = await runHere(
      'dd',
      '-f',
      'raw',
      'skip=30',
      'bs=1k',
      `if=${at('odd.raw')}`,
      `of=${at('ours')}`,
    );
    expect(status).toBe(0);
    expect(stderr).toContain('cannot skip');
    expect(statSync(at('ours')).size).toBe(0);
  });
});

describe('dd and its streams', () => {
  test('the output is not the input', async () => {
    writeFileSync(at('same.raw'), counting(4096));
    const { status, stderr } = await runHere(
      'dd',
      '-f',
      'raw',
      `if=${at('same.raw')}`,
      `of=${at('same.raw')}`,
    );
    expect(status).toBe(1);
    expect(stderr).toContain('the same file as the input');
    expect(readFileSync(at('same.raw')).equals(Buffer.from(counting(4096)))).toBe(true);
  });

  test('a part of standard input, and nothing else, goes to a file and to standard output', async () => {
    for (const output of ['of=-', `of=${at('part.raw')}`]) {
      const child = start(['dd', '-f', 'raw', 'if=-', output, 'bs=1k', 'skip=2', 'count=5'], folder, [
        'pipe',
        'pipe',
        'pipe',
      ]);
      const run = finished(child);
      child.stdin?.on('error', () => {}); // it is closed before everything is taken
      child.stdin?.write(counting(1_000_000)); // and it does not end
      const { status, stdout, stderr } = await run;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const bytes = output === 'of=-' ? stdout : readFileSync(at('part.raw'));
      expect(bytes.equals(Buffer.from(counting(5 * 1024).subarray(2048)))).toBe(true);
    }
  });
});
