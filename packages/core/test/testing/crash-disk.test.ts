import { expect, test } from 'vitest';
import { can } from '../../src/contracts/abilities.ts';
import { CrashDisk } from '../../src/testing/crash-disk.ts';
import { describeDiskModule, pattern } from '../../src/testing/index.ts';

describeDiskModule('a crash disk', {
  open: () => new CrashDisk(pattern(10_000)),
  expected: pattern(10_000),
  writable: true,
});

async function changed() {
  const disk = new CrashDisk(pattern(100));
  await disk.init();
  await disk.write(10, new Uint8Array(5).fill(1));
  await disk.flush();
  await disk.resize(200);
  await disk.write(150, new Uint8Array(5).fill(2));
  return disk;
}

test('records all that changes it, and has no ability that it does not record', async () => {
  const disk = await changed();
  expect(disk.events).toEqual([
    { kind: 'write', offset: 10, data: new Uint8Array(5).fill(1) },
    { kind: 'barrier' },
    { kind: 'resize', size: 200 },
    { kind: 'write', offset: 150, data: new Uint8Array(5).fill(2) },
  ]);
  expect(disk.bytes).toHaveLength(200);
  for (const ability of ['discard', 'writeZeroes', 'writeCompressed'] as const)
    expect([ability, can(disk, ability)]).toEqual([ability, false]);
  for (const ability of ['readInto', 'extents', 'flush', 'resize'] as const)
    expect([ability, can(disk, ability)]).toEqual([ability, true]);
});

test('a crash leaves what was before the last barrier, and of the rest what survives', async () => {
  const disk = await changed();
  const before = pattern(100);
  before.fill(1, 10, 15);
  expect(disk.after(0)).toEqual(pattern(100));
  expect(disk.after(2, () => false)).toEqual(before);
  expect(disk.after(4, () => false)).toEqual(before);
  expect(disk.after(4, (event) => event === 2)).toHaveLength(200);
  expect(disk.after(4)).toEqual(disk.bytes);
});
