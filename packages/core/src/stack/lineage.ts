import type { NamedDisk, OpenContext } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import { UnopenedDisk } from '../disks/unopened-disk.ts';
import { decodeStrict, decodeText, quote } from '../text.ts';
import type { BackingGate, FoundDisk } from './backing-gate.ts';
import type { Services } from './services.ts';

/** What the caller of `open` decided for the whole chain. */
export interface ChainPolicy {
  readonly services: Services;
  readonly gate: BackingGate;
  /** False: no base is opened, and bytes that are in one are an error. */
  readonly followBacking: boolean;
  /** Canonical folders for `filesBelowRoots`. */
  readonly roots: readonly string[];
  /** Schemes that a name inside an image may have. */
  readonly allowSchemes: readonly string[];
  /** Driver of the disk that the caller opened. */
  readonly driver: StorageDriver | undefined;
}

/** The place of one image in its chain. */
export interface Place {
  readonly mountMode: 'r' | 'rw';
  readonly location: string | undefined;
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
  const { limits, codecs, logger } = policy.services;
  return {
    mountMode: place.mountMode,
    location: place.location,
    limits,
    codecs,
    logger,
    openBase: async (named, io = {}) => {
      if (!policy.followBacking) return new UnopenedDisk(decodeText(named.name));
      try {
        const found = await resolveName(policy, place, named);
        logger.debug(`${quote(place.location ?? '')} has its backing disk at ${quote(found.location)}`);
        const below = {
          mountMode: 'r',
          location: found.location,
          lineage: [...place.lineage, found.identity],
        } as const;
        return await openFound(found, named.format, policy, below, stackFormat, io);
      } catch (error) {
        if (!(error instanceof DiskError) || error.offset !== undefined || error.layer !== undefined)
          throw error;
        throw new DiskError(error.code, error.reason, {
          layer: place.location,
          offset: named.offset,
          cause: error.cause,
        });
      }
    },
  };
}

async function openFound(
  found: FoundDisk,
  format: string | undefined,
  policy: ChainPolicy,
  place: Place,
  stackFormat: StackFormat,
  io: Io,
): Promise<DiskModule> {
  try {
    await found.disk.init(io);
    return await stackFormat(found.disk, format, policy, place, io);
  } catch (error) {
    await found.disk.close();
    throw error;
  }
}

/** The name, through the gate. Loops and endless chains end here, before anything more is opened. */
async function resolveName(policy: ChainPolicy, place: Place, named: NamedDisk): Promise<FoundDisk> {
  const { maxChainDepth } = policy.services.limits;
  const depth = place.lineage.length + 1;
  if (depth > maxChainDepth) {
    throw new DiskError(
      'ERR_LIMIT',
      `the chain has ${depth} disks or more, maxChainDepth allows ${maxChainDepth}`,
    );
  }
  const { driver, name } = schemeOf(policy, strictName(named.name));
  const found = await policy.gate({ name, image: place.location, driver, roots: policy.roots });
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
  return found;
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

/** A name with a scheme reaches a driver only when the caller allows that scheme. */
function schemeOf(policy: ChainPolicy, name: string): { driver: StorageDriver | undefined; name: string } {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(name)?.[1];
  if (scheme === undefined) return { driver: policy.driver, name };
  const driver = policy.services.drivers.find((candidate) => candidate.scheme === scheme);
  if (driver === undefined || !policy.allowSchemes.includes(scheme)) {
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(name)}; names with a scheme are refused unless allowSchemes names it`,
    );
  }
  return { driver, name: name.slice(scheme.length + 1) };
}
