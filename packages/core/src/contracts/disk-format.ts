import type { ProbeWindow } from '../probe/window.ts';
import type { DiskModule, Io } from './disk-module.ts';
import type { Codecs, Limits, Logger } from './services.ts';

/** How sure a probe is: a magic number, a structure that makes sense, or "anything will do" (raw alone). */
export type Rank = 'magic' | 'structure' | 'fallback';

/**
 * A plugin that recognises and opens one image format.
 *
 * `probe` looks at bytes and does no I/O; `open` makes a module and does none either: `init()` reads and validates.
 */
export interface DiskFormat {
  /** As in `--format` and in recorded backing formats: `'qcow2'`. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  probe(window: ProbeWindow): Rank | undefined;
  /** The module owns `downstream` from here on and closes it. */
  open(downstream: DiskModule, context: OpenContext): DiskModule;
}

/** A disk that an image names. */
export interface NamedDisk {
  /** The bytes of the name, as they stand in the image. */
  readonly name: Uint8Array;
  /** The format that the image records for it; obeyed. Without one the disk is probed. */
  readonly format?: string | undefined;
  /** Byte offset of the name in the image, for errors. */
  readonly offset: number;
}

/** What a format may use while it opens one image. Chosen by the caller's `open`, one for the whole chain. */
export interface OpenContext {
  readonly mountMode: MountMode;
  /** Path of the image, where it has one. */
  readonly location: string | undefined;
  readonly limits: Limits;
  readonly codecs: Codecs;
  readonly logger: Logger;
  /** Opens the backing disk through the gate, initialised and read-only. */
  openBase(named: NamedDisk, io?: Io): Promise<DiskModule>;
}

/** `'r'` reads, `'rw'` reads and writes. */
export type MountMode = 'r' | 'rw';
