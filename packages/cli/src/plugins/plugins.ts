import type { DiskFormat, StorageDriver } from '@diskstack/core/format';
import type { VolumeLayout } from '@diskstack/core/volumes';

/** What plugins add to the program. */
export interface Plugins {
  readonly formats: readonly DiskFormat[];
  readonly drivers: readonly StorageDriver[];
  readonly layouts: readonly VolumeLayout[];
}

/** Names that a plugin cannot take, for each kind of member. */
export type TakenNames = { readonly [Kind in keyof Plugins]: readonly string[] };
