import { DiskError } from '@diskstack/core';
import { HEADER_V2, type Header } from '../layout/header.ts';
import { SNAPSHOT, type Snapshot } from '../layout/snapshot.ts';

/** A state that can be opened as a disk: the active state, or a snapshot. */
export interface DiskState {
  /** Guest bytes. */
  readonly size: number;
  readonly l1TableOffset: number;
  /** Entries of the L1 table. */
  readonly l1Size: number;
  /** Bytes of the two fields in the image, for errors. */
  readonly fieldAt: { readonly l1Size: number | undefined; readonly l1TableOffset: number | undefined };
}

export function activeState({ size, l1TableOffset, l1Size }: Header): DiskState {
  return { size, l1TableOffset, l1Size, fieldAt: HEADER_V2.at };
}

/** A snapshot that does not record its size has the size of the active state. */
export function snapshotState(snapshot: Snapshot, header: Header): DiskState {
  const { l1TableOffset, l1Size, at } = snapshot;
  const size = snapshotSize(snapshot, header.size);
  return { size, l1TableOffset, l1Size, fieldAt: { l1Size: at, l1TableOffset: at } };
}

/** Guest bytes of a snapshot's disk. `ERR_UNSUPPORTED` past 2^53 − 1. */
export function snapshotSize({ diskSize, at }: Snapshot, currentSize: number): number {
  if (typeof diskSize !== 'bigint') return diskSize ?? currentSize;
  throw new DiskError('ERR_UNSUPPORTED', `a snapshot of ${diskSize} bytes, 2^53 - 1 are the most`, {
    offset: at + SNAPSHOT.size,
  });
}
