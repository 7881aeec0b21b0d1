import type { VolumeLayout } from '@diskstack/core/volumes';
import { lvm2 } from '@diskstack/lvm';
import { partition } from '@diskstack/partition';

/** Partition tables and volume groups. Loaded only by commands that look for layers. */
export const layouts: readonly VolumeLayout[] = [partition, lvm2];
