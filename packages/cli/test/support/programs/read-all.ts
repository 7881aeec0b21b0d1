// A whole program on the library: opens the image of its first argument, reads all of it, closes it, and prints a sum.
import { createDisks } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';

const disks = createDisks({ formats: [raw, qcow2], drivers: [fileDriver()], codecs: zlibCodecs });
const disk = await disks.open(process.argv[2] ?? '');
let sum = 0;
for (let offset = 0; offset < disk.size(); offset += 1024 * 1024) {
  const bytes = await disk.read(offset, 1024 * 1024);
  for (let at = 0; at < bytes.length; at += 64) sum += bytes[at] ?? 0;
}
await disk.close();
console.log(sum);
