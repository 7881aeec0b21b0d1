import { expect, test } from 'vitest';
import { runExample } from '../../run-example.ts';

test('two disks of a group of five: what is whole is said to be, and so is what is not', async () => {
  const lines = (await runExample('scan-machine')).split('\n');
  expect(lines[0]).toMatch(/^lvm-alltypes\/pv-a\.qcow2 qcow2 \d+ ok$/);
  expect(lines).toContain('  lvm-alltypes/pv-a.qcow2#lv:vgall/linear linear 9437184 ok');
  expect(lines.filter((line) => / error$/.test(line)).length).toBeGreaterThan(0);
  expect(lines.some((line) => /^lvm-alltypes\/pv-b\.qcow2 qcow2 \d+ ok$/.test(line))).toBe(true);
});
