import { expect, test } from 'vitest';
import { struct } from '../../src/binary/struct.ts';
import { limitError } from '../../src/contracts/limit-error.ts';
import { DEFAULT_LIMITS } from '../../src/contracts/services.ts';

test('names the limit in its reason and as its hint, with both numbers and the offset', () => {
  const limits = { ...DEFAULT_LIMITS, maxTableBytes: 32 };
  const error = limitError('maxTableBytes', limits, 'an L1 table of 40 bytes', 0x24);
  expect(error).toMatchObject({
    code: 'ERR_LIMIT',
    reason: 'an L1 table of 40 bytes; maxTableBytes allows 32',
    offset: 0x24,
    hint: { option: 'limits', name: 'maxTableBytes' },
  });
});

test('a field that throws it keeps the hint when the structure adds its name and place', () => {
  const refused = limitError('maxNameBytes', { maxNameBytes: 1 }, 'a name of 2 bytes');
  const refuse = (): never => {
    throw refused;
  };
  const named = struct('big', { name: { bytes: 2, read: refuse, write: refuse } });
  const { hint } = refused;
  expect(() => named.decode(new Uint8Array(2), 512)).toThrow(expect.objectContaining({ offset: 512, hint }));
  expect(() => named.encode({ name: 0 as never })).toThrow(expect.objectContaining({ hint }));
});
