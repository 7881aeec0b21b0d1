import type { L2Table } from '../../tables/l2-tables.ts';
import { inParallel } from '../async/in-parallel.ts';
import type { DirtyPart, Table } from '../file/dirty-tables.ts';
import type { RefcountTablePart } from '../space/refcount-table.ts';
import type { Refcounts } from '../space/refcounts.ts';
import type { L1Part } from './active-tables.ts';
import type { ImageState } from './image-state.ts';
import { tablePlace, writeBlocks } from './write-refcounts.ts';

/** Changed refcounts, copied when a flush begins. */
interface RefcountParts {
  readonly blocks: readonly DirtyPart<Table>[];
  readonly table: RefcountTablePart | undefined;
}

/** All changed metadata, copied when a flush begins. */
interface Changes extends RefcountParts {
  readonly l2: readonly DirtyPart<L2Table>[];
  readonly l1: L1Part | undefined;
  readonly given: ReadonlyMap<number, number>;
}

/**
 * Writes the metadata that is held in memory, in an order that a crash may interrupt anywhere:
 *
 * 1. refcount blocks; then the table that names new blocks; then the header that names a moved table
 * 2. L2 tables, after the data that they name is on stable storage and counted
 * 3. entries of the L1 table, after the L2 tables that they name
 * 4. refcounts that go down, after nothing names the clusters any more
 *
 * A barrier separates two steps that both write. After a crash some refcounts are too high at most: leaked clusters.
 */
export async function flushMetadata(state: ImageState): Promise<void> {
  const { allocator, file } = state;
  state.checkIntact();
  const changes = await allocator.mutex.run(async () => takeAll(state));
  try {
    await writeRefcounts(state, changes);
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
    putBack(state, changes);
    throw error;
  }
  state.refcounts.blocks.done(changes.blocks);
  state.tables.l2.done(changes.l2);
  if (changes.given.size > 0) await freeUnreferenced(state, changes.given);
}

/** Step 4. */
async function freeUnreferenced(state: ImageState, given: ReadonlyMap<number, number>): Promise<void> {
  const { allocator, file, refcounts } = state;
  try {
    await file.barrier();
  } catch (error) {
    allocator.putBackGiven(given);
    throw error;
  }
  const freed = await allocator.mutex.run(() => allocator.applyDecrements(given));
  state.releaseAfterReads(freed);
  const blocks = await allocator.mutex.run(async () => refcounts.blocks.take());
  try {
    await writeBlocks(file, blocks);
  } catch (error) {
    refcounts.blocks.putBack(blocks);
    throw error;
  }
  refcounts.blocks.done(blocks);
}

function takeAll({ refcounts, tables, allocator }: ImageState): Changes {
  return {
    ...takeRefcounts(refcounts),
    l2: tables.l2.take(),
    l1: tables.takeL1(),
    given: allocator.takeGiven(),
  };
}

function takeRefcounts({ blocks, table }: Refcounts): RefcountParts {
  const part = table.take();
  return { blocks: blocks.take(), table: part };
}

function putBack({ refcounts, tables, allocator }: ImageState, changes: Changes): void {
  refcounts.blocks.putBack(changes.blocks);
  if (changes.table !== undefined) refcounts.table.putBack(changes.table);
  tables.l2.putBack(changes.l2);
  if (changes.l1 !== undefined) tables.putBackL1(changes.l1);
  allocator.putBackGiven(changes.given);
}

/** Step 1. */
async function writeRefcounts(state: ImageState, { blocks, table }: RefcountParts): Promise<void> {
  const { file, refcounts } = state;
  await writeBlocks(file, blocks);
  if (table === undefined) return;
  await file.barrier();
  await file.writeMetadata('the refcount table', table.at + table.from * 8, table.bytes);
  if (!table.isMoved) return;
  await file.barrier();
  await state.writeHeader(tablePlace(table, state.image.geometry));
  refcounts.table.headerNames(table.at);
}
