import { DiskError } from '@diskstack/core';
import { decodeIntegrityJournal, INTEGRITY_SUPERBLOCK } from '../layout/integrity.ts';
import { optionalTextOf, textOf } from '../metadata/config.ts';
import type { SegmentContext, SegmentType } from '../segment-type.ts';
import { slice, type Target } from '../targets/target.ts';

/**
 * lvm2 `lib/integrity/integrity.c`: checksums on a separate volume. They are not verified. The origin holds the current
 * bytes if the journal is empty, which it is after every clean deactivation.
 */
export const integrity: SegmentType = {
  names: ['integrity'],
  async open({ fields }, size, context) {
    const origin = slice(await context.volume(textOf(fields, 'origin')), 0, size);
    const metadata = optionalTextOf(fields, 'meta_dev');
    if (metadata === undefined)
      throw new DiskError(
        'ERR_UNSUPPORTED',
        'integrity checksums are interleaved with the data (no meta_dev); only a separate volume is supported',
      );
    // In modes B (bitmap) and D (direct), writes go to the origin first.
    const mode = optionalTextOf(fields, 'mode') ?? 'J';
    if (mode !== 'B' && mode !== 'D') await checkJournal(await context.volume(metadata), context);
    return origin;
  },
};

async function checkJournal(metadata: Target, { reader }: SegmentContext): Promise<void> {
  const superblock = new Uint8Array(INTEGRITY_SUPERBLOCK.size);
  await reader.read(metadata, 0, superblock);
  const { sections, sectionBytes, entriesBytes, at, isUsed } = decodeIntegrityJournal(superblock);
  if (at + sections * sectionBytes > metadata.size) {
    const reason = `the integrity journal has ${sections} sections of ${sectionBytes} bytes, but its volume has ${metadata.size} bytes`;
    throw new DiskError('ERR_CORRUPT', reason);
  }
  const entries = new Uint8Array(entriesBytes);
  for (let section = 0; section < sections; section++) {
    await reader.read(metadata, at + section * sectionBytes, entries);
    if (!isUsed(new DataView(entries.buffer))) continue;
    const reason = `section ${section} of the integrity journal holds writes that may not be on the origin yet; the journal is not replayed`;
    throw new DiskError('ERR_UNSUPPORTED', reason);
  }
}
