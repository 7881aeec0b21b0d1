import type { DiskModule, Io, Limits } from '@diskstack/core';
import { limitError } from '@diskstack/core/format';
import { readStructure } from '../image/structure.ts';

/** The active L1 table, held in memory as bytes and decoded on demand. A writer may replace it. */
export interface L1Table {
  view: DataView;
  /** Byte of the table in the image. */
  at: number;
}

/** Reads the `entries` that the disk needs. Checks the size against the limit and the file before allocating. */
export async function readL1Table(
  file: DiskModule,
  at: number,
  entries: number,
  limits: Limits,
  io: Io,
): Promise<L1Table> {
  const length = entries * 8;
  if (length > limits.maxTableBytes) {
    throw limitError('maxTableBytes', limits, `an L1 table of ${length} bytes`, at);
  }
  const bytes = await readStructure(file, { what: 'an L1 table', at, length }, io);
  return { view: new DataView(bytes.buffer), at };
}
