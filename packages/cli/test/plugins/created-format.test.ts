import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** A format that the program does not know: a plugin brings it, with the schema of its options. */
const plugin = fileURLToPath(new URL('../../../../examples/own-format/src/labelled.ts', import.meta.url));

const folder = tempFolder();
const at = (name: string): string => join(folder, name);
const run = async (...args: string[]) => {
  const { status, stdout, stderr } = await runHere(...args, '--plugin', plugin);
  return { status, stdout: stdout.toString(), stderr };
};
const labelOf = async (image: string): Promise<unknown> => {
  const { stdout } = await run('info', '--output', 'json', image);
  return (JSON.parse(stdout) as { 'format-specific'?: { data?: { label?: unknown } } })['format-specific']
    ?.data?.label;
};

const content = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 31) % 251));
writeFileSync(at('content.raw'), content);

test('create makes an image with an option of the format, and prints it as for any format', async () => {
  const image = at('new.lab');
  const { status, stdout } = await run('create', '-f', 'labelled', '-o', 'label=vault', image, '1000');
  expect([status, stdout]).toEqual([0, `Formatting '${image}', fmt=labelled size=1000 label=vault\n`]);
  expect(statSync(image).size).toBe(512 + 1024); // whole sectors
  expect(await labelOf(image)).toBe('vault');
});

test('convert writes one, and reads it back', async () => {
  const image = at('copy.lab');
  expect((await run('convert', '-O', 'labelled', '-o', 'label=a', at('content.raw'), image)).stderr).toBe('');
  expect(readFileSync(image).subarray(512)).toEqual(content);
  expect((await run('convert', '-f', 'labelled', image, at('back.raw'))).status).toBe(0);
  expect(readFileSync(at('back.raw'))).toEqual(content);
});

test('amend changes an option, and refuses one that the format does not have', async () => {
  const image = at('copy.lab');
  expect((await run('amend', '-o', 'label=other', image)).stderr).toBe('');
  expect(await labelOf(image)).toBe('other');
  expect((await run('amend', '-o', 'compat=v3', image)).stderr).toBe(
    'diskstack: ERR_ARGUMENT: labelled has no option "compat"; there are label\n',
  );
});

test('measure and -o help come from the schema', async () => {
  expect((await run('measure', '-O', 'labelled', '--size', '1M')).stdout).toBe(
    'required size: 1049088\nfully allocated size: 1049088\n',
  );
  expect((await run('create', '-f', 'labelled', '-o', 'help')).stdout.split('\n').slice(0, 3)).toEqual([
    'Supported labelled options:',
    '  label=<str>            - Name of the disk, up to 32 bytes',
    '  size=<size>            - Size of the disk',
  ]);
});

test.each([
  [
    ['create', '-f', 'labelled', '-o', `label=${'x'.repeat(33)}`, at('no.lab'), '1M'],
    'the label has 33 bytes, at most 32 are possible',
  ],
  [
    ['create', '-f', 'labelled', '-o', 'cluster_size=64k', at('no.lab'), '1M'],
    'labelled has no option "cluster_size"',
  ],
  [
    ['create', '-f', 'labelled', '-b', at('content.raw'), '-F', 'raw', at('no.lab')],
    'labelled images have no backing file',
  ],
  [
    ['convert', '-O', 'labelled', '-c', at('content.raw'), at('no.lab')],
    'labelled images have no compressed clusters',
  ],
  [
    ['convert', '-O', 'labelled', at('content.raw'), '-'],
    'labelled images cannot be written to standard output',
  ],
])('%j is refused, and leaves no file', async (args, message) => {
  const { status, stderr } = await run(...args);
  expect(status).toBe(1);
  expect(stderr).toContain(message);
  expect(statSync(at('no.lab'), { throwIfNoEntry: false })).toBeUndefined();
});
