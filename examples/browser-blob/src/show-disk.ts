import { can, createDisks } from '@diskstack/core';
import { qcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';

/** Describes a disk image that a visitor chose. Nothing is uploaded, and only the needed parts are read. */
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
