import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('2,000 mutants: only DiskErrors come back, and nothing hangs', async () => {
  const main = new URL('../fuzz/main.ts', import.meta.url).pathname;
  const args = ['--conditions=@diskstack/source', main, '--seed', '20261122', '--count', '2000'];

  const { stdout } = await promisify(execFile)(process.execPath, args);

  expect(stdout).toMatch(/^seed 20261122: \d+ mutants read, \d+ refused, 0 failures\n$/);
});
