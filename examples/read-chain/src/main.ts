// Reads bytes of a disk through its whole backing chain.
import { createDisks } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { qcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';

const disks = createDisks({ formats: [raw, qcow, qcow2], drivers: [fileDriver()], codecs: zlibCodecs });
await using disk = await disks.open(new URL('../../images/top.qcow2', import.meta.url).pathname);
const bytes = await disk.read(100 * 1024 - 4, 8);
console.log(`${disk.diskType}, ${disk.size()} bytes; around 100 KiB: ${bytes.join(' ')}`);
