// Opens the disks of an appliance. A LUN is a physical volume, and its logical volumes hold the QCOW2 images of a guest. One of
// these is the backing disk of the other. The guest's disk has partitions and a volume group over two disks.
import { createDisks, describeStack, drawStack } from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { lvm2 } from '@diskstack/lvm';
import { partition } from '@diskstack/partition';
import { qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';

const fixture = '../../../packages/lvm/test/fixtures/appliance-small/lun.qcow2';
const lun = new URL(fixture, import.meta.url).pathname;
const domain = `${lun}#lv:6f1c8b1e-0000-4000-8000-0000000000a1`;
const disks = createDisks({ formats: [raw, qcow2], drivers: [fileDriver()], layouts: [partition, lvm2] });

// The first disk of the guest. Its backing disk is another logical volume, which is found by name.
const top = `${domain}/bbbb0000-0000-4000-8000-000000000002/qcow2`;
{
  await using disk = await disks.openLayer(top);
  console.log(drawStack(describeStack(disk)).replaceAll(lun, 'lun'));
}

// The root file system of the guest. Its volume group is on the first disk and on a second one, which the caller names.
await using root = await disks.openLayer(`${top}/p4/lv:vg_guest/root`, {
  pvs: [`${domain}/dddd0000-0000-4000-8000-000000000003`],
});
const [low = 0, high = 0] = await root.read(1024 + 56, 2); // the magic number in the superblock of ext
console.log(`root: ${root.size()} bytes, magic 0x${(high * 256 + low).toString(16)}`);
