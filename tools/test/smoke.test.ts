import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { smoke } from '../smoke/smoke.ts';

/** A program in place of the command. */
function command(source: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'diskstack-smoke-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'command.mjs');
  writeFileSync(path, source);
  return path;
}

test('a command that fails is reported, for each run', () => {
  const problems = smoke(process.execPath, command(`console.error('broken'); process.exitCode = 1;`));
  expect(problems[0]).toMatch(/^--version: status 1 broken/);
  expect(problems.filter((problem) => problem.startsWith('digest '))).not.toEqual([]);
});

test('a command that succeeds with another result is reported', () => {
  const problems = smoke(process.execPath, command(`console.log('0000  image');`));
  expect(problems[0]).toMatch(/^--version: "0000 {2}image\\n", expected "\d+\.\d+\.\d+\\n"$/);
  expect(problems).toContainEqual(expect.stringMatching(/^digest of top\.qcow2: "0000", expected "0a1fabe7/));
  expect(problems).toContainEqual(expect.stringMatching(/^formats lists the plugin: false/));
});

test('a Node that does not start is reported', () => {
  expect(smoke('/no/such/node')[0]).toMatch(/ENOENT/);
});
