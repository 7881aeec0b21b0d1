import { expect, test } from 'vitest';
import { canonicalVolumePath } from '../../src/volumes/volume-path.ts';

test.for([
  ['/dev/vg/lv', '/dev/vg/lv'],
  ['/dev/mapper/vg-lv', '/dev/vg/lv'],
  ['/dev/mapper/my--vg-root', '/dev/my-vg/root'],
  ['/dev/mapper/vg-my--lv', '/dev/vg/my-lv'],
  ['/dev/mapper/a--b-c--d', '/dev/a-b/c-d'],
  ['/dev/mapper/vg-a----b', '/dev/vg/a--b'],
  ['/dev/mapper/a----b-c', '/dev/a--b/c'],
  ['/dev/./vg//lv', '/dev/vg/lv'],
  ['/dev/vg/../vg2/lv', '/dev/vg2/lv'],
  ['/dev/disk/../mapper/vg-lv', '/dev/vg/lv'],
] as const)('%s is %s', ([path, want]) => {
  expect(canonicalVolumePath(path)).toBe(want);
});

test.for([
  ['a name without a dash', '/dev/mapper/control'],
  ['only doubled dashes', '/dev/mapper/one--name'],
  ['a dash at the start', '/dev/mapper/-lv'],
  ['a dash at the end', '/dev/mapper/vg-'],
  ['two single dashes', '/dev/mapper/vg-lv-cow'],
] as const)('%s is no volume of a group, and stays as it is', ([, path]) => {
  expect(canonicalVolumePath(path)).toBe(path);
});
