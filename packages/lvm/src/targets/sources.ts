import { DiskError, type DiskModule } from '@diskstack/core';
import { MAX_SOURCES } from '@diskstack/core/format';

/** A disk below logical volumes: a physical volume, or a missing RAID image that is computed from the other images. */
export interface Source {
  /** Its number in the extents of the group's targets. */
  readonly number: number;
  readonly disk: DiskModule;
  /** For messages. Quote it. */
  readonly name: string;
  /** The bytes are computed: no disk holds them, so `extents` reports no place for them. */
  readonly isComputed: boolean;
}

/** The disks below a volume group. Its logical volumes share targets, so a number means the same disk in all of them. */
export class Sources {
  readonly #sources: Source[] = [];
  readonly #byDisk = new Map<DiskModule, Source>();

  /** The source of a disk: a new one, or the one that it has already. */
  add(disk: DiskModule, name: string, isComputed = false): Source {
    const known = this.#byDisk.get(disk);
    if (known !== undefined) return known;
    const number = this.#sources.length;
    if (number >= MAX_SOURCES)
      throw new DiskError(
        'ERR_LIMIT',
        `the volumes of the group are on more than ${MAX_SOURCES} disks and rebuilt images`,
      );
    const source = { number, disk, name, isComputed };
    this.#sources.push(source);
    this.#byDisk.set(disk, source);
    return source;
  }

  at(number: number): Source {
    const source = this.#sources[number];
    if (source === undefined) throw new DiskError('ERR_INTERNAL', `the volume group has no source ${number}`);
    return source;
  }
}
