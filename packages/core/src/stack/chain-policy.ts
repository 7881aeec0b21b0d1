import type { SnapshotChoice } from '../contracts/snapshot.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { BackingGate } from './backing-gate.ts';
import type { OpenFiles } from './open-files.ts';
import type { Services } from './services.ts';

/** What the caller of `open` decided for the whole chain. */
export interface ChainPolicy {
  readonly services: Services;
  readonly gate: BackingGate;
  /** Nothing that an image names is opened, no key is asked for; bytes that need either are an error. */
  readonly metadataOnly: boolean;
  /** No key is asked for; bytes that need one are an error. */
  readonly withoutKeys: boolean;
  /** Canonical folders that the caller allows, in the name space of each driver that names may lead to. */
  readonly roots: ReadonlyMap<StorageDriver, readonly string[]>;
  /** Schemes that a name inside an image may have. */
  readonly allowSchemes: readonly string[];
  /** The files that the images of the chain have open beside themselves. */
  readonly files: OpenFiles;
}

/** The place of one image in its chain. */
export interface Place {
  readonly mountMode: 'r' | 'rw';
  /** Of the disk that the caller opened; a base is presented as it is. */
  readonly snapshot?: SnapshotChoice | undefined;
  /** What the image is called. */
  readonly location: string | undefined;
  /** Where it is in the name space of `driver`; `undefined` for an image inside another disk: it has no folder. */
  readonly home: string | undefined;
  /**
   * Canonical folder of the image that the caller opened, in the name space of `driver`. It is passed on from file to file,
   * and ends at the first disk without a home: what is in that one is the word of somebody else.
   */
  readonly folder: string | undefined;
  /** Opens the names without a scheme that stand in the image. */
  readonly driver: StorageDriver | undefined;
  /** What the gate said of it when it found it. */
  readonly origin?: unknown;
  /** Identities of the disks from the top of the chain down to this one. */
  readonly lineage: readonly string[];
}
