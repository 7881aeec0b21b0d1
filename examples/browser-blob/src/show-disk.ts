import { can, createDisks } from '@diskstack/core';
import { qcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';

/** What a page can tell of a disk image that a visitor chose: nothing is uploaded, only what is asked for is read. */
export async function showDisk(file: Blob): Promise<string> {
  const disks = createDisks({ formats: [raw, qcow, qcow2] });
  await using disk = await disks.open(file);
  const lines = [`${disk.diskType}: ${disk.size()} bytes`];
  if (can(disk, 'extents')) {
    for await (const { offset, length, kind } of disk.extents()) lines.push(`${offset} +${length} ${kind}`);
  }
  const start = await disk.read(0, 16);
  return [
    ...lines,
    `starts with ${[...start].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`,
  ].join('\n');
}
