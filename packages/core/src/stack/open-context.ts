import type { OpenContext } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { ChainPolicy, Place } from './chain-policy.ts';
import { openNamed } from './named-disks.ts';

/** Opens a disk with a format and initialises it. Bases are opened the same way, so the opener passes this function on. */
export type StackFormat = (
  disk: DiskModule,
  format: string | undefined,
  policy: ChainPolicy,
  place: Place,
  io: Io,
) => Promise<DiskModule>;

/** Makes the context for a format that opens one image of a chain. */
export function openContext(
  policy: ChainPolicy,
  place: Place,
  head: Uint8Array | undefined,
  stackFormat: StackFormat,
): OpenContext {
  const { limits, codecs, crypto, keys, logger } = policy.services;
  const { mountMode, location, home, driver, snapshot } = place;
  return {
    mountMode,
    location,
    fileName: (home !== undefined && driver?.fileName?.(home)) || undefined,
    limits,
    codecs,
    logger,
    snapshot,
    head,
    metadataOnly: policy.metadataOnly,
    withoutKeys: policy.withoutKeys,
    crypto: async () => (typeof crypto === 'function' ? crypto() : crypto),
    keyFor: async (kind) => keys?.keyFor({ location, kind }),
    openStorage: (named, io = {}) => {
      const writable = mountMode === 'rw';
      const open = () =>
        openNamed(policy, place, named, { use: 'storage', writable }, io, async (disk) => disk);
      return policy.metadataOnly ? open() : policy.files.open(open);
    },
    openBase: (named, io = {}) =>
      openNamed(policy, place, named, { use: 'base', writable: false }, io, (disk, below, format) =>
        stackFormat(disk, format ?? named.format, policy, below, io),
      ),
  };
}
