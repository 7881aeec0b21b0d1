import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { openHost } from '../src/index.ts';

const index = new URL('../src/index.ts', import.meta.url).href;

/** The abilities that another process finds, and what it says on stderr. */
function abilities(before: string, ...flags: string[]) {
  const script = `${before}; const { openHost } = await import('${index}'); console.log(JSON.stringify(Object.keys(await openHost())));`;
  const args = ['--conditions=@diskstack/source', ...flags, '--input-type=module', '-e', script];
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  return { status, stdout: stdout.trim(), stderr };
}

const hasFfi = Number.parseInt(process.versions.node, 10) >= 26;
const isLinux = process.platform === 'linux';

test('the host is opened once', () => {
  expect(openHost()).toBe(openHost());
});

test.runIf(hasFfi && isLinux)('a program sees the warning of Node, unless it turns it off', () => {
  const loud = abilities('');
  expect(loud).toMatchObject({ status: 0, stdout: '["holes","locks","space","clones"]' });
  expect(loud.stderr).toContain('ExperimentalWarning');
  const still = abilities('', '--disable-warning=ExperimentalWarning');
  expect(still).toEqual({ status: 0, stdout: '["holes","locks","space","clones"]', stderr: '' });
});

test.runIf(hasFfi)('there are no abilities without both', () => {
  expect(abilities('', '--no-experimental-ffi', '--no-addons')).toEqual({
    status: 0,
    stdout: '[]',
    stderr: '',
  });
});

test.runIf(hasFfi && isLinux)('koffi is used where it is installed and node:ffi is not there', () => {
  const found = abilities('', '--no-experimental-ffi');
  expect(found).toEqual({ status: 0, stdout: '["holes","locks","space","clones"]', stderr: '' });
});

test.runIf(hasFfi)('there are none where a permission forbids node:ffi', () => {
  const flags = ['--permission', '--allow-fs-read=*', '--disable-warning=ExperimentalWarning'];
  expect(abilities('', ...flags)).toMatchObject({ status: 0, stdout: '[]' });
});

test('there are none on other systems, and none with 32 bits', () => {
  const platform = "Object.defineProperty(process, 'platform', { value: 'darwin' })";
  const arch = "Object.defineProperty(process, 'arch', { value: 'arm' })";
  for (const other of [platform, arch])
    expect(abilities(other)).toMatchObject({ status: 0, stdout: '[]', stderr: '' });
});
