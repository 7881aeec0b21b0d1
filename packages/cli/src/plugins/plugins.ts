import type { DiskFormat, StorageDriver, VolumeLayout } from '@diskstack/core';

/** What plugins add to the program. */
export interface Plugins {
  readonly formats: readonly DiskFormat[];
  readonly drivers: readonly StorageDriver[];
  readonly layouts: readonly VolumeLayout[];
}

/** Names that a plugin cannot take, for each kind of member. */
export type TakenNames = { readonly [Kind in keyof Plugins]: readonly string[] };
