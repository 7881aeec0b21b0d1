import { type CheckReport, can, type DiskModule } from '@diskstack/core';
import { openPath } from './image-folder.ts';
import type { QemuCheck } from './qemu.ts';

/** The report of an open disk. */
export async function checkDisk(disk: DiskModule): Promise<CheckReport> {
  if (!can(disk, 'check')) throw new Error('the disk has no check');
  return await disk.check();
}

/** Checks a file without a key, and without opening what it names. */
export async function checkFile(path: string): Promise<CheckReport> {
  await using disk = await openPath(path, { format: 'qcow2', metadataOnly: true });
  return await checkDisk(disk);
}

/** The numbers of a report in qemu-img's way: every unreferenced cluster is a leak, even after unreadable structures. */
export function numbersOf({ findings: _, unattributed = 0, leaks, ...numbers }: CheckReport): QemuCheck {
  return { ...numbers, leaks: leaks + unattributed };
}
