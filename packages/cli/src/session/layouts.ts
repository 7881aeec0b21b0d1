import type { VolumeLayout } from '@diskstack/core';
import { lvm2 } from '@diskstack/lvm';
import { partition } from '@diskstack/partition';

/** What disks are looked into with. Loaded by commands that are asked to. */
export const layouts: readonly VolumeLayout[] = [partition, lvm2];
