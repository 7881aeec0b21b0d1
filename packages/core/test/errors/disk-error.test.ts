import { expect, test } from 'vitest';
import { DiskError, type DiskErrorDetails, throwIfAborted } from '../../src/errors/disk-error.ts';

test.for<[DiskErrorDetails, string]>([
  [{}, 'it broke'],
  [{ offset: 0 }, 'it broke (at byte 0x0)'],
  [{ format: 'qcow2' }, '[qcow2] it broke'],
  [{ layer: '/a.qcow2' }, '[/a.qcow2] it broke'],
  [{ format: 'qcow2', layer: '/a.qcow2', offset: 0x24 }, '[qcow2 /a.qcow2] it broke (at byte 0x24)'],
])('%j reads %j', ([details, message]) => {
  expect(new DiskError('ERR_CORRUPT', 'it broke', details).message).toBe(message);
});

test('keeps the code, the place and the cause', () => {
  const cause = new Error('EIO');
  const error = new DiskError('ERR_IO', 'no', { format: 'raw', layer: '/dev/sda', offset: 512, cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'DiskError',
    code: 'ERR_IO',
    reason: 'no',
    format: 'raw',
    layer: '/dev/sda',
    offset: 512,
    cause,
  });
  expect('cause' in new DiskError('ERR_IO', 'no')).toBe(false);
});

test('in() adds the layer and the format that are not known yet', () => {
  const cause = new Error('inner');
  const told = new DiskError('ERR_CORRUPT', 'it broke', { offset: 8, cause }).in({
    format: 'qcow2',
    layer: '/a',
  });
  expect(told).toMatchObject({ code: 'ERR_CORRUPT', format: 'qcow2', layer: '/a', offset: 8, cause });
  expect(told.message).toBe('[qcow2 /a] it broke (at byte 0x8)');
});

test('a hint is kept by in()', () => {
  const hint = { option: 'limits', name: 'maxSnapshots' } as const;
  const error = new DiskError('ERR_LIMIT', 'too many', { offset: 8, hint });
  expect(error.hint).toBe(hint);
  expect(error.in({ format: 'qcow2', layer: '/a' }).hint).toBe(hint);
  expect(new DiskError('ERR_IO', 'no').hint).toBe(undefined);
});

test('in() keeps known details: the first layer that adds them is where it happened', () => {
  const below = new DiskError('ERR_IO', 'no', { layer: '/base.raw' });
  expect(below.in({ format: 'qcow2', layer: '/top.qcow2' })).toBe(below);
  const named = new DiskError('ERR_CORRUPT', 'no', { format: 'vmdk' });
  expect(named.in({ format: 'qcow2' })).toBe(named);
  expect(named.in({ format: 'qcow2', layer: '/a' }).format).toBe('vmdk');
});

test('throwIfAborted throws once the signal has fired, with its reason', () => {
  const controller = new AbortController();
  throwIfAborted(undefined);
  throwIfAborted(controller.signal);
  const reason = new Error('enough');
  controller.abort(reason);
  expect(() => throwIfAborted(controller.signal)).toThrow(
    expect.objectContaining({ code: 'ERR_ABORTED', cause: reason }),
  );
});

test('an error of another copy of the package is one too, and nothing else is', async () => {
  const copy = '../../src/errors/disk-error.ts?copy';
  const { DiskError: Other } = (await import(copy)) as { DiskError: typeof DiskError };
  expect(Other).not.toBe(DiskError);
  const error: unknown = new Other('ERR_IO', 'from a plugin', { layer: '/a' });
  expect(error instanceof DiskError).toBe(true);
  expect(error instanceof Error).toBe(true);
  for (const value of [new Error('plain'), { name: 'DiskError', code: 'ERR_IO' }, null, 'DiskError'])
    expect((value as unknown) instanceof DiskError).toBe(false);
});
