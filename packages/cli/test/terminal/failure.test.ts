import { DiskError, type DiskErrorHint } from '@diskstack/core';
import { expect, test, vi } from 'vitest';
import { Failure, type FailureOptions, reportFailure } from '../../src/terminal/failure.ts';

/** What stderr gets of an error. */
function printed(error: unknown, options: FailureOptions = {}): string {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  reportFailure(new Failure(error, options));
  const text = write.mock.calls.map(([line]) => String(line)).join('');
  write.mockRestore();
  return text;
}

function withHint(hint: DiskErrorHint): DiskError {
  return new DiskError('ERR_IO', 'no', { hint });
}

test.for<[DiskErrorHint, string]>([
  [{ option: 'allowBacking' }, '--allow-backing DIR allows a further folder'],
  [{ option: 'allowSchemes' }, '--allow-scheme SCHEME allows one'],
  [{ option: 'keys' }, '--secret file=PATH or --secret env=NAME gives one'],
  [{ option: 'limits', name: 'maxSnapshots' }, '--limit maxSnapshots=VALUE sets it'],
  [{ option: 'limits', name: 'maxChainDepth' }, '--max-chain-depth COUNT sets it'],
  [{ option: 'locking' }, '-U, --force-share'],
  [{ option: 'pvs' }, 'give it with --pv IMAGE'],
])('%j is printed as the option of the command', ([hint, option]) => {
  expect(printed(withHint(hint))).toBe(`diskstack: ERR_IO: no (${option})\n`);
});

test('no option is printed without a hint, whatever the text says, and with one that is not known', () => {
  const error = new DiskError('ERR_LIMIT', 'maxSnapshots, allowBacking, locking: no key was given');
  expect(printed(error)).toBe(`diskstack: ERR_LIMIT: ${error.reason}\n`);
  expect(printed(withHint({ option: 'later' } as never))).toBe('diskstack: ERR_IO: no\n');
});

test('--untrusted names no option that would allow what it forbids', () => {
  for (const option of ['allowBacking', 'allowSchemes'] as const)
    expect(printed(withHint({ option }), { untrusted: true })).toBe('diskstack: ERR_IO: no\n');
});
