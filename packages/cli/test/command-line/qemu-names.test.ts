import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

async function good(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runHere(...args);
  expect([args, status, stderr]).toEqual([args, 0, '']);
  return stdout.toString();
}

test('the names of qemu-img 10.1 mean the same as the older ones', async () => {
  writeFileSync(at('base.raw'), new Uint8Array(1 << 20));
  expect(
    await good(
      'create',
      '-f',
      'qcow2',
      '-b',
      'base.raw',
      '-B',
      'raw',
      '--options',
      'compat=0.10',
      at('a.qcow2'),
    ),
  ).toContain('compat=0.10 backing_file=base.raw backing_fmt=raw');
  await good('amend', '--options', 'compat=1.1', '--options', 'refcount_bits=8', at('a.qcow2'));
  expect(await good('info', at('a.qcow2'))).toContain('refcount bits: 8');
  await good('compare', '--a-format', 'raw', '--b-format', 'raw', at('base.raw'), at('base.raw'));
  await good('check', '--cache', 'none', at('a.qcow2'));
  await good('rebase', '--backing-unsafe', '-b', 'base.raw', '-B', 'raw', at('a.qcow2'));
  await good('commit', '--drop', '--base', 'base.raw', at('a.qcow2'));
  await good(
    'convert',
    '--source-format',
    'raw',
    '--target-format',
    'qcow2',
    '--target-format-options',
    'cluster_size=4k',
    at('base.raw'),
    at('b.qcow2'),
  );
  expect(await good('info', at('b.qcow2'))).toContain('cluster_size: 4096');
  expect(await good('measure', '--target-format', 'qcow2', '-s', '1M')).toContain('required size');
  expect(existsSync(at('b.qcow2'))).toBe(true);
});
