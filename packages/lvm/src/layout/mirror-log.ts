import { DiskError, hex } from '@diskstack/core';
import { offset64, struct, u32 } from '@diskstack/core/format';

/** Linux `drivers/md/dm-log.c`, `struct log_header_disk`. */
export const MIRROR_LOG = struct('little', { magic: u32, version: u32, nrRegions: offset64 });

const MIRROR_MAGIC = 0x4d69_5272; // 'MiRr'
const MIRROR_VERSION = 2;
/** The byte of the log at which its bits start: one for each region, set if the region is in sync on all legs. */
export const LOG_BITS_AT = 1024;

export function decodeMirrorLog(block: Uint8Array): { readonly regions: number } {
  const { magic, version, nrRegions } = MIRROR_LOG.decode(block);
  if (magic !== MIRROR_MAGIC)
    throw new DiskError(
      'ERR_CORRUPT',
      `the mirror log has the magic ${hex(magic)}, not ${hex(MIRROR_MAGIC)}`,
      { offset: 0 },
    );
  if (version !== MIRROR_VERSION)
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `a mirror log of version ${version}; version ${MIRROR_VERSION} is read`,
      { offset: MIRROR_LOG.at.version },
    );
  return { regions: nrRegions };
}
