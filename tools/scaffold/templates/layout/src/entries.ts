import type { DiskModule, Io } from '@diskstack/core';

/** Where a volume is on its disk, in bytes. */
export interface Entry {
  readonly start: number;
  readonly size: number;
}

/** Reads the entries of a table. `entryCount` is at most `maxPartitions`. */
export async function readEntries(
  _disk: DiskModule,
  _entryCount: number,
  _io: Io,
): Promise<readonly Entry[]> {
  return []; // readFully(disk, TABLE.size, bytes, io), then ENTRY.decode
}
