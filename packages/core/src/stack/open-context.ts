import type { NamedDisk, OpenContext } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { limitError } from '../contracts/limit-error.ts';
import type { SnapshotChoice } from '../contracts/snapshot.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import { UnopenedDisk } from '../disks/unopened-disk.ts';
import { DiskError } from '../errors/disk-error.ts';
import { decodeStrict, decodeText, quote } from '../errors/text.ts';
import { initStorage } from '../io/storage-error.ts';
import type { BackingGate, FoundDisk } from './backing-gate.ts';
import { schemeOf } from './location-names.ts';
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

/** Stacks a format on a disk and initialises it. A base is stacked the same way, so the opener hands itself down. */
export type StackFormat = (
  disk: DiskModule,
  format: string | undefined,
  policy: ChainPolicy,
  place: Place,
  io: Io,
) => Promise<DiskModule>;

/** The context in which a format opens one image of a chain. */
export function openContext(policy: ChainPolicy, place: Place, stackFormat: StackFormat): OpenContext {
  const { limits, codecs, crypto, keys, logger } = policy.services;
  const { mountMode, location, snapshot } = place;
  return {
    mountMode,
    location,
    limits,
    codecs,
    logger,
    snapshot,
    metadataOnly: policy.metadataOnly,
    withoutKeys: policy.withoutKeys,
    crypto: async () => (typeof crypto === 'function' ? crypto() : crypto),
    keyFor: async (kind) => keys?.keyFor({ location, kind }),
    openDataFile: (named, io = {}) =>
      openNamed(policy, place, named, mountMode === 'rw', io, async (disk) => disk),
    openBase: (named, io = {}) =>
      openNamed(policy, place, named, false, io, (disk, below, format) =>
        stackFormat(disk, format ?? named.format, policy, below, io),
      ),
  };
}

/** The disk of a name, through the gate, and what `open` makes of it. Nothing stays open when that fails. */
async function openNamed(
  policy: ChainPolicy,
  place: Place,
  named: NamedDisk,
  writable: boolean,
  io: Io,
  open: (disk: DiskModule, below: Place, format: string | undefined) => Promise<DiskModule>,
): Promise<DiskModule> {
  if (policy.metadataOnly) return new UnopenedDisk(decodeText(named.name));
  try {
    const { found, driver } = await resolveName(policy, place, named, writable);
    policy.services.logger.debug?.(
      `${quote(place.location ?? '')} names ${quote(found.location)}, which is opened`,
    );
    const lineage = [...place.lineage, found.identity];
    try {
      const { location, home, origin, format } = found;
      await initStorage(found.disk, location, io);
      const folder = home === undefined || driver !== place.driver ? undefined : place.folder;
      const below: Place = { mountMode: 'r', location, home, folder, driver, origin, lineage };
      return await open(found.disk, below, format);
    } catch (error) {
      await found.disk.close();
      throw error;
    }
  } catch (error) {
    if (!(error instanceof DiskError) || error.offset !== undefined || error.layer !== undefined) throw error;
    throw new DiskError(error.code, error.reason, {
      offset: named.offset,
      hint: error.hint,
      cause: error.cause,
    });
  }
}

/** The name, through the gate. Loops and endless chains end here, before anything more is opened. */
async function resolveName(
  policy: ChainPolicy,
  place: Place,
  named: NamedDisk,
  writable: boolean,
): Promise<{ readonly found: FoundDisk; readonly driver: StorageDriver | undefined }> {
  const { limits } = policy.services;
  const depth = place.lineage.length + 1;
  if (depth > limits.maxChainDepth)
    throw limitError('maxChainDepth', limits, `the chain has ${depth} disks or more`);
  const name = strictName(named.name);
  const { driver, home } = namesOf(policy, place, name);
  const own = place.folder !== undefined && driver === place.driver ? [place.folder] : [];
  const roots = [...own, ...((driver && policy.roots.get(driver)) ?? [])];
  const { location: image, origin } = place;
  const found = await policy.gate({ name, image, home, driver, origin, roots, writable });
  if (found === undefined) {
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(name)}, and nothing is registered to open it`,
    );
  }
  if (place.lineage.includes(found.identity)) {
    await found.disk.close();
    throw new DiskError(
      'ERR_BACKING_LOOP',
      `the image names ${quote(name)}, which stands on this image itself`,
    );
  }
  return { found, driver };
}

function strictName(bytes: Uint8Array): string {
  const name = decodeStrict(bytes);
  if (name === undefined) {
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(decodeText(bytes))}, which is not UTF-8`,
    );
  }
  if (name === '' || name.includes('\0')) {
    throw new DiskError('ERR_BACKING_DENIED', `the image names ${quote(name)}, which is no file name`);
  }
  return name;
}

/** What a name means: with a scheme it reaches a driver only when the caller allows that scheme. */
function namesOf(
  policy: ChainPolicy,
  place: Place,
  name: string,
): { readonly driver: StorageDriver | undefined; readonly home: string | undefined } {
  const scheme = place.driver?.isPath?.(name) ? undefined : schemeOf(name);
  if (scheme === undefined) return { driver: place.driver, home: place.home };
  const driver = policy.services.drivers.find(({ schemes }) => schemes.includes(scheme));
  if (!policy.allowSchemes.includes(scheme)) {
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(name)}; names with a scheme are refused unless allowSchemes names it`,
      { hint: { option: 'allowSchemes' } },
    );
  }
  if (driver === undefined)
    throw new DiskError('ERR_BACKING_DENIED', `the image names ${quote(name)}; no driver has its scheme`);
  return { driver, home: driver === place.driver ? place.home : undefined };
}
