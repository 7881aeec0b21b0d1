import { type Ability, type Able, can, DiskError, type DiskModule } from '@diskstack/core';

/** The disk, if it has an ability that the command needs. Else an error that names the format. */
export function requireAbility<A extends Ability>(disk: DiskModule, ability: A, what: string): Able<A> {
  if (can(disk, ability)) return disk;
  throw new DiskError('ERR_UNSUPPORTED', `${formatOf(disk)} images have no ${what}`);
}

export function formatOf(disk: DiskModule): string {
  return can(disk, 'info') ? disk.info().format : 'raw';
}
