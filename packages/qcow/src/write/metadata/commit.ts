import { DiskError } from '@diskstack/core';
import type { QcowImage } from '../../image/image.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import { inParallel } from '../async/in-parallel.ts';
import type { DirtyPart, Table } from '../file/dirty-tables.ts';
import { writeHeaderFields } from '../file/header-fields.ts';
import type { ImageFile } from '../file/image-file.ts';
import type { Allocator } from '../space/allocator.ts';
import type { Refcounts } from '../space/refcounts.ts';
import type { ActiveTables, L1Part } from './active-tables.ts';

/** The metadata of an image that is written, all of it. */
export interface WrittenImage {
  image: QcowImage;
  readonly file: ImageFile;
  readonly refcounts: Refcounts;
  readonly allocator: Allocator;
  readonly tables: ActiveTables;
  /** Finds out again where all metadata is, for the guard. */
  readonly reclaim: () => Promise<void>;
  /** Why what is in memory may not be what the image has: then nothing is written any more. */
  broken?: DiskError;
  /** Why the refcounts cannot be used: nothing is written before they are repaired. */
  uncounted?: DiskError | undefined;
  /** An L2 table is where something else is: nothing is written before that is repaired. */
  overlap?: DiskError | undefined;
  /** Ends with the last read that is under way now. */
  readsOver: () => Promise<void> | undefined;
  /** Clusters have become free that may have held compressed data. */
  forgetCompressed: () => void;
}

/** What the image does not have of the refcounts, as it stood when it was taken. */
interface RefcountParts {
  readonly blocks: readonly DirtyPart<Table>[];
  readonly table: RefcountTablePart | undefined;
}

/** Entries of the refcount table, and where the table is. */
interface RefcountTablePart {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  readonly at: number;
  /** Bytes that there is room for at its place. */
  readonly placedBytes: number;
  /** The header does not know the place yet. */
  readonly moved: boolean;
}

/** All that the image does not have, as it stood when it was taken. */
interface Changes extends RefcountParts {
  readonly l2: readonly DirtyPart<L2Table>[];
  readonly l1: L1Part | undefined;
  readonly given: ReadonlyMap<number, number>;
}

/**
 * Brings the metadata that is held in memory into the image, in an order that may be cut anywhere:
 *
 * 1. refcount blocks; then, where there are new ones, the table that names them; then the header that names the table
 * 2. L2 tables, once the data that they name is on stable storage and counted
 * 3. entries of the L1 table, once the L2 tables that they name are
 * 4. refcounts that go down, once nothing names what they count
 *
 * There is a barrier between two steps that both have something to write. A cut leaves counts that are too high at most:
 * leaked clusters.
 */
export async function commit(written: WrittenImage): Promise<void> {
  const { allocator, file } = written;
  if (written.broken !== undefined) throw written.broken;
  const changes = await allocator.mutex.run(async () => takeAll(written));
  try {
    await writeRefcounts(written, changes);
    if (changes.l2.length > 0) {
      await file.barrier();
      await inParallel(changes.l2, ({ table, from, bytes }) =>
        file.writeMetadata('an L2 table', table.at + from, bytes),
      );
    }
    if (changes.l1 !== undefined) {
      await file.barrier();
      await file.writeMetadata('the L1 table', changes.l1.at, changes.l1.bytes);
    }
  } catch (error) {
    putBack(written, changes);
    throw error;
  }
  written.refcounts.blocks.done(changes.blocks);
  written.tables.l2.done(changes.l2);
  if (changes.given.size > 0) await settle(written, changes.given);
}

/** Step 4. The clusters that become free can be taken as soon as nobody reads from them. */
async function settle(written: WrittenImage, given: ReadonlyMap<number, number>): Promise<void> {
  const { allocator, file, refcounts } = written;
  try {
    await file.barrier();
  } catch (error) {
    allocator.putBackGiven(given);
    throw error;
  }
  const freed = await allocator.mutex.run(() => allocator.settle(given));
  const wake = (): void => {
    written.forgetCompressed();
    allocator.wake(freed);
  };
  const reads = written.readsOver();
  if (reads === undefined) wake();
  else void reads.then(wake);
  await writeBlocks(written, await allocator.mutex.run(async () => refcounts.blocks.take()));
}

function takeAll({ refcounts, tables, allocator }: WrittenImage): Changes {
  return {
    ...takeRefcounts(refcounts),
    l2: tables.l2.take(),
    l1: tables.takeL1(),
    given: allocator.takeGiven(),
  };
}

function takeRefcounts({ blocks, table }: Refcounts): RefcountParts {
  const { view, from, to, at, placedBytes, moved } = table;
  if (from === to) return { blocks: blocks.take(), table: undefined };
  if (to * 8 > placedBytes)
    throw new DiskError('ERR_NO_SPACE', 'no room was found for a longer refcount table');
  const bytes = new Uint8Array(view.buffer, view.byteOffset + from * 8, (to - from) * 8).slice();
  table.from = to;
  return { blocks: blocks.take(), table: { from, to, bytes, at, placedBytes, moved } };
}

function putBack({ refcounts, tables, allocator }: WrittenImage, changes: Changes): void {
  refcounts.blocks.putBack(changes.blocks);
  if (changes.table !== undefined) refcounts.markTable(changes.table.from, changes.table.to);
  tables.l2.putBack(changes.l2);
  if (changes.l1 !== undefined) tables.putBackL1(changes.l1);
  allocator.putBackGiven(changes.given);
}

/** Step 1. */
async function writeRefcounts(written: WrittenImage, { blocks, table }: RefcountParts): Promise<void> {
  const { file, refcounts } = written;
  await writeTableBytes(blocks, file);
  if (table === undefined) return;
  await file.barrier();
  await file.writeMetadata('the refcount table', table.at + table.from * 8, table.bytes);
  if (!table.moved) return;
  await file.barrier();
  const { clusterSize } = written.image.geometry;
  written.image = await writeHeaderFields(file, written.image, {
    refcountTableOffset: table.at,
    refcountTableClusters: table.placedBytes / clusterSize,
  });
  if (refcounts.table.at === table.at) refcounts.table.moved = false;
}

async function writeBlocks(written: WrittenImage, blocks: readonly DirtyPart<Table>[]): Promise<void> {
  try {
    await writeTableBytes(blocks, written.file);
  } catch (error) {
    written.refcounts.blocks.putBack(blocks);
    throw error;
  }
  written.refcounts.blocks.done(blocks);
}

function writeTableBytes(blocks: readonly DirtyPart<Table>[], file: ImageFile): Promise<void> {
  return inParallel(blocks, ({ table, from, bytes }) =>
    file.writeMetadata('a refcount block', table.at + from, bytes),
  );
}
