import type { NamedDisk } from '@diskstack/core/format';

/** The name of a backing file or data file, as it is stored in the image. */
export interface FileName {
  readonly name: Uint8Array;
  /** The recorded format of the file. */
  readonly format?: string | undefined;
  /** Byte of the image where the name is stored. */
  readonly offset: number;
}

/** QCOW has one name for each file, by the rules of the host. */
export function namedDisk({ name, format, offset }: FileName): NamedDisk {
  return { candidates: [{ name }], format, offset };
}
