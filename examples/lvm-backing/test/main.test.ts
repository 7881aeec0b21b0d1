import { expect, test } from 'vitest';
import { runExample } from '../../run-example.ts';

test('the overlay reads its own clusters, and the rest from the image in the logical volume', async () => {
  expect((await runExample('lvm-backing')).split('\n')).toEqual([
    '0x41 0x51',
    'qcow2 "overlay.qcow2" 524288 bytes',
    '├─ in: storage "overlay.qcow2" 36864 bytes',
    '└─ on: qcow2 "/dev/vg0/golden" 524288 bytes',
    '   └─ in: LVM2 "/dev/vg0/golden" 1048576 bytes',
    '',
  ]);
});
