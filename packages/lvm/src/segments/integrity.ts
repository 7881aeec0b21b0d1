import { DiskError } from '@diskstack/core';
import { decodeIntegrityJournal, INTEGRITY_SUPERBLOCK } from '../layout/integrity.ts';
import { optionalTextOf, textOf } from '../metadata/config.ts';
import type { SegmentContext, SegmentType } from '../segment-type.ts';
import { slice, type Target } from '../targets/target.ts';

/**
 * lvm2 `lib/integrity/integrity.c`: checksums on a volume of their own, beside the bytes, which are the origin's once the
 * journal is empty. It is after every orderly end.
 */
export const integrity: SegmentType = {
  names: ['integrity'],
  async open({ fields }, size, context) {
    const origin = slice(await context.volume(textOf(fields, 'origin')), 0, size);
    const metadata = optionalTextOf(fields, 'meta_dev');
    if (metadata === undefined)
      throw new DiskError(
        'ERR_UNSUPPORTED',
        'integrity checksums between the bytes, not on a volume of their own',
      );
    // In the other modes, B and D, writes go to the origin first.
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
    const reason = `a journal of ${sections} sections of ${sectionBytes} bytes on ${metadata.size}`;
    throw new DiskError('ERR_CORRUPT', reason);
  }
  const entries = new Uint8Array(entriesBytes);
  for (let section = 0; section < sections; section++) {
    await reader.read(metadata, at + section * sectionBytes, entries);
    if (!isUsed(new DataView(entries.buffer))) continue;
    const reason = 'the integrity journal holds writes that may not be on the origin yet; it is not replayed';
    throw new DiskError('ERR_UNSUPPORTED', reason);
  }
}
