import type { Io } from '@diskstack/core';
import { DiskError, hex } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import { readBitmaps } from '../../bitmaps/directory.ts';
import type { QcowImage } from '../../image/image.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { readStructure } from '../../image/structure.ts';
import { bitmapClusterOffset } from '../../layout/bitmap.ts';
import { ENCRYPTION_HEADER } from '../../layout/encryption-header.ts';
import { AUTOCLEAR } from '../../layout/feature-bits.ts';
import { EXTENSION_TYPE, findExtension } from '../../layout/header-extension.ts';
import { l2TableOffset } from '../../layout/l1-entry.ts';
import { snapshotL1Problem } from '../../snapshots/l1-bounds.ts';
import { namedBytes, type SnapshotTable } from '../../snapshots/snapshot-table.ts';
import type { L1Table } from '../../tables/l1-table.ts';

/** Bytes of a table handled before the loop yields to the event loop, if that is due. */
const BREATH = 32_768;

/** Where the metadata of an image is found. */
export interface MetadataSources {
  readonly image: QcowImage;
  /** The active one. */
  readonly l1: L1Table;
  readonly snapshots: SnapshotTable | DiskError;
}

/** Claims the metadata that the header names. */
export function claimNamedByHeader({ image, l1, snapshots }: MetadataSources, guard: OverlapGuard): void {
  const { file, header, extensions } = image;
  guard.claim('the header', 0, 1);
  const encryption = findExtension(extensions, EXTENSION_TYPE.encryptionHeader);
  if (encryption !== undefined) {
    const { offset, length } = ENCRYPTION_HEADER.decode(encryption.data, encryption.at);
    guard.claim('the encryption header', offset, Math.min(length, file.size()));
  }
  if (l1.view.byteLength > 0) guard.claim('the L1 table', l1.at, l1.view.byteLength);
  if (!(snapshots instanceof DiskError) && snapshots.sureLength > 0)
    guard.claim(
      'the snapshot table',
      header.snapshotsOffset,
      namedBytes(snapshots, image.geometry.clusterSize),
    );
}

/**
 * Claims all metadata of the image except its refcounts. When two structures overlap, the one of the active state gets
 * the cluster. A snapshot whose L1 table has an impossible place is skipped, with its L2 tables.
 *
 * @returns why the image needs a repair before it is written: an L2 table that overlaps other metadata
 */
export async function claimMetadata(
  sources: MetadataSources,
  guard: OverlapGuard,
  io: Io,
): Promise<DiskError | undefined> {
  const { image, l1, snapshots } = sources;
  const claims = new TableClaims(image, guard);
  claimNamedByHeader(sources, guard);
  await claims.claimL2Tables(l1.at, l1.view);
  if (!(snapshots instanceof DiskError)) await claims.claimSnapshots(snapshots, io);
  await claimBitmaps(image, guard, io);
  claims.claimDoubtful();
  if (!(snapshots instanceof DiskError) && snapshots.sureLength > 0)
    guard.claimDoubtful('the snapshot table', snapshots.at, snapshots.sureLength);
  return claims.overlap;
}

/** Claims the tables that L1 tables name. */
class TableClaims {
  /** The first L2 table that overlaps other metadata. */
  overlap: DiskError | undefined;
  readonly #image: QcowImage;
  readonly #guard: OverlapGuard;
  /** Offsets of damaged L1 entries, where no L2 table can be. */
  readonly #doubtful: number[] = [];

  constructor(image: QcowImage, guard: OverlapGuard) {
    this.#image = image;
    this.#guard = guard;
  }

  async claimSnapshots({ snapshots }: SnapshotTable, io: Io): Promise<void> {
    const { file } = this.#image;
    let bytesLeft = file.size();
    for (const snapshot of snapshots) {
      const { l1TableOffset: at, l1Size, at: fieldAt } = snapshot;
      const length = l1Size * 8;
      if (length === 0 || snapshotL1Problem(snapshot, this.#image) !== undefined) continue;
      if (this.#guard.otherThan('the L1 table of a snapshot', at, length) !== undefined) continue;
      bytesLeft -= length;
      if (bytesLeft < 0) {
        throw new DiskError('ERR_CORRUPT', `a snapshot with an L1 table of ${l1Size} entries`, {
          offset: fieldAt,
        });
      }
      this.#guard.claim('the L1 table of a snapshot', at, length);
      const bytes = await readStructure(file, { what: 'an L1 table of a snapshot', at, length, fieldAt }, io);
      await this.claimL2Tables(at, new DataView(bytes.buffer));
    }
  }

  async claimL2Tables(tableAt: number, view: DataView): Promise<void> {
    const { geometry, file } = this.#image;
    for (let position = 0; position < view.byteLength; position += 8) {
      if (position % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      const at = l2TableOffset(view.getUint32(position), view.getUint32(position + 4));
      if (at === 0) continue;
      // A damaged offset may be anywhere. It must not prevent a repair.
      if (at % geometry.clusterSize !== 0 || at >= file.size()) this.#doubtful.push(at);
      else if (this.#guard.kindOf(at / geometry.clusterSize) !== 'an L2 table')
        this.#claimL2Table(at, tableAt + position);
    }
  }

  #claimL2Table(at: number, entryAt: number): void {
    const { l2TableBytes, clusterSize } = this.#image.geometry;
    const other = this.#guard.kindOf(at / clusterSize);
    // Refcounts can be rebuilt, so they lose the conflict.
    if (other === undefined || other === 'the refcount table' || other === 'a refcount block') {
      this.#guard.claim('an L2 table', at, l2TableBytes);
      return;
    }
    this.overlap ??= new DiskError(
      'ERR_READ_ONLY',
      `an L2 table at byte ${hex(at)} is where ${other} is: nothing is written before the image is repaired`,
      { offset: entryAt },
    );
  }

  /** Runs last: claims that are certain take precedence. */
  claimDoubtful(): void {
    const { l2TableBytes } = this.#image.geometry;
    for (const at of this.#doubtful) this.#guard.claimDoubtful('an L2 table', at, l2TableBytes);
  }
}

/** Claims bitmaps. Bitmaps that may be out of date own no cluster: it may hold anything by now. */
async function claimBitmaps(image: QcowImage, guard: OverlapGuard, io: Io): Promise<void> {
  const extension = findExtension(image.extensions, EXTENSION_TYPE.bitmaps);
  if (extension === undefined || (image.header.autoclearFeatures & AUTOCLEAR.bitmaps) === 0n) return;
  const { file, limits, geometry } = image;
  const directory = await readBitmaps(file, extension, limits, io);
  guard.claim('a bitmap', directory.at, directory.length);
  let bytesLeft = file.size();
  for (const { tableOffset: at, tableSize } of directory.bitmaps) {
    const length = tableSize * 8;
    bytesLeft -= length;
    if (length > limits.maxTableBytes || bytesLeft < 0) {
      throw new DiskError('ERR_CORRUPT', `a bitmap table of ${tableSize} entries`, { offset: at });
    }
    if (length === 0) continue;
    guard.claim('a bitmap', at, length);
    const table = new DataView(
      (await readStructure(file, { what: 'a bitmap table', at, length }, io)).buffer,
    );
    for (let position = 0; position < length; position += 8) {
      if (position % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      const cluster = bitmapClusterOffset(table.getUint32(position), table.getUint32(position + 4));
      if (cluster !== 0) guard.claim('a bitmap', cluster, geometry.clusterSize);
    }
  }
}
