import type { SnapshotChoice } from '../contracts/snapshot.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { BackingGate } from './backing-gate.ts';
import type { OpenFiles } from './open-files.ts';
import type { Services } from './services.ts';

/** What the caller of `open` decided for the whole chain. */
export interface ChainPolicy {
  readonly services: Services;
  readonly gate: BackingGate;
  /** Opens nothing that an image names, and asks for no key. Reads that need either are an error. */
  readonly metadataOnly: boolean;
  /** Asks for no key. Reads that need one are an error. */
  readonly withoutKeys: boolean;
  /** Canonical folders that the caller allows, by driver. Has each driver that a name may lead to. */
  readonly roots: ReadonlyMap<StorageDriver, readonly string[]>;
  /** Schemes that a name inside an image may have. */
  readonly allowSchemes: readonly string[];
  /** The further files that the images of the chain have open. */
  readonly files: OpenFiles;
}

/** One image's place in its chain. What takes a look at the file system is a function: most images name no other disk. */
export interface Place {
  readonly mountMode: 'r' | 'rw';
  /** Only for the disk that the caller opened. A base shows its active state. */
  readonly snapshot?: SnapshotChoice | undefined;
  /** Display name of the image. */
  readonly location: string | undefined;
  /** Location in the name space of `driver`. `undefined` for an image inside another disk: it has no folder. */
  readonly home: string | undefined;
  /**
   * Canonical folder of the image that the caller opened, in the name space of `driver`. Passed on from file to file. `undefined`
   * from the first disk without a home on, because the caller did not choose what that disk contains.
   */
  readonly folder: (() => Promise<string | undefined>) | undefined;
  /** Opens names without a scheme that the image contains. */
  readonly driver: StorageDriver | undefined;
  /** `FoundDisk.origin` of the image. */
  readonly origin?: unknown;
  /** Identities of the disks from the top of the chain down to this one. */
  readonly lineage: () => Promise<readonly string[]>;
}
