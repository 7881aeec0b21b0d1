import { DiskError, quote } from '@diskstack/core';
import { readStructure } from '../../image/structure.ts';
import { INCOMPATIBLE } from '../../layout/feature-bits.ts';
import { EXTENSION_TYPE, findExtension } from '../../layout/header-extension.ts';
import { l2TableOffset } from '../../layout/l1-entry.ts';
import { hasZeroFlag, isCompressed } from '../../layout/l2-entry.ts';
import type { Snapshot } from '../../layout/snapshot.ts';
import type { SnapshotTable } from '../../snapshots/snapshot-table.ts';
import type { WriteContext } from '../data/write-context.ts';

/** Incompatible features that an image of version 2 cannot have. */
const NOT_IN_VERSION_2 = {
  externalDataFile: 'has a data file',
  compressionType: 'has clusters of another compression than zlib',
  extendedL2: 'has extended L2 entries',
} as const;

/** Refuses an image that version 2 cannot represent, before any change. qcow2 spec, "Header". */
export async function refuseDowngrade(
  context: WriteContext,
  { snapshots }: SnapshotTable,
  refcountBits: number | undefined,
): Promise<void> {
  const { image } = context.state;
  const { header, extensions } = image;
  const refuse = (reason: string): never => {
    throw new DiskError('ERR_UNSUPPORTED', `version 2 (compat=0.10) is not possible: the image ${reason}`);
  };
  for (const [feature, reason] of Object.entries(NOT_IN_VERSION_2)) {
    const bit = INCOMPATIBLE[feature as keyof typeof NOT_IN_VERSION_2];
    if ((header.incompatibleFeatures & bit) !== 0n) refuse(reason);
  }
  const bits = refcountBits ?? 2 ** header.refcountOrder;
  if (bits !== 16) refuse(`has refcounts of ${bits} bits, version 2 has 16: refcount_bits=16 changes them`);
  if (findExtension(extensions, EXTENSION_TYPE.bitmaps) !== undefined) refuse('has bitmaps: remove them');
  for (const snapshot of snapshots) {
    const { name, diskSize = header.size, vmStateSize } = snapshot;
    if (vmStateSize > 0) refuse(`has the snapshot ${quote(name)} with the state of a machine`);
    if (diskSize !== header.size)
      refuse(`has ${header.size} bytes and its snapshot ${quote(name)} ${diskSize}`);
    if (header.version >= 3 && (await hasZeroClusters(context, snapshot)))
      refuse(`has the snapshot ${quote(name)} with zero clusters, which version 2 does not know`);
  }
}

/** Whether an L2 table of a snapshot has a zero cluster. */
async function hasZeroClusters(context: WriteContext, snapshot: Snapshot): Promise<boolean> {
  const { geometry, state } = context;
  const { file } = state.image;
  const length = snapshot.l1Size * 8;
  if (length === 0) return false;
  const l1 = await viewOf({ what: 'an L1 table of a snapshot', at: snapshot.l1TableOffset, length });
  for (let position = 0; position < length; position += 8) {
    const at = l2TableOffset(l1.getUint32(position), l1.getUint32(position + 4));
    if (at === 0) continue;
    const l2 = await viewOf({ what: 'an L2 table of a snapshot', at, length: geometry.l2TableBytes });
    for (let entry = 0; entry < l2.byteLength; entry += geometry.l2EntryBytes) {
      if (!isCompressed(l2.getUint32(entry)) && hasZeroFlag(l2.getUint32(entry + 4))) return true;
    }
  }
  return false;

  async function viewOf(structure: Parameters<typeof readStructure>[1]): Promise<DataView> {
    return new DataView((await readStructure(file, structure, {})).buffer);
  }
}
