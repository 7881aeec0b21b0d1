import type { OpenOptions, PushOptions, Source } from '../stack/open-options.ts';

/** A disk of a machine, and how to open it. */
export interface MachineDisk extends Pick<OpenOptions, 'format' | 'snapshot' | 'offset'> {
  readonly source: Source;
  /** Name in the addresses of its layers. Default: the path of the source, if it has one, else `disk1`, `disk2` … */
  readonly name?: string | undefined;
}

/** How the images of a machine are opened, including those that are found inside it. */
export interface MachineOptions
  extends Pick<PushOptions, 'mountMode' | 'metadataOnly' | 'allowBacking' | 'allowSchemes' | 'gate'> {
  /**
   * Addresses of layers that are physical volumes: `'lun.qcow2#lv:vg0/disk2'`. If several are copies of one disk, the
   * first one counts.
   */
  readonly pvs?: readonly string[] | undefined;
}

/** Whether the caller described a disk beyond its source. */
export function isDescribed(one: Source | MachineDisk): one is MachineDisk {
  return typeof one === 'object' && 'source' in one;
}

/** The path of a source, or the name of a file of a browser. */
export function nameOf(source: Source): string | undefined {
  if (typeof source === 'string') return source;
  const { location, name } = source as { readonly location?: string; readonly name?: string };
  return location ?? name;
}
