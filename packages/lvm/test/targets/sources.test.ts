import { MemoryDisk } from '@diskstack/core';
import { MAX_SOURCES } from '@diskstack/core/format';
import { diskErrorOf } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { Sources } from '../../src/targets/sources.ts';

const disk = (): MemoryDisk => new MemoryDisk(new Uint8Array(0));

test('a disk has one number, in however many volumes it is', () => {
  const sources = new Sources();
  const [one, other] = [disk(), disk()];
  expect([one, other, one].map((each) => sources.add(each, 'pv').number)).toEqual([0, 1, 0]);
  expect(sources.at(1)).toEqual({ number: 1, disk: other, name: 'pv', isComputed: false });
});

test('more disks than a number can name are refused, and none gets the number of another', async () => {
  const sources = new Sources();
  for (let index = 0; index < MAX_SOURCES; index++) sources.add(disk(), `pv${index}`);
  expect(sources.at(MAX_SOURCES - 1).name).toBe(`pv${MAX_SOURCES - 1}`);
  const error = await diskErrorOf(() => sources.add(disk(), 'one more'));
  expect(error.code).toBe('ERR_LIMIT');
  expect((await diskErrorOf(() => sources.at(MAX_SOURCES))).code).toBe('ERR_INTERNAL');
});
