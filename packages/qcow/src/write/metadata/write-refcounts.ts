import type { Geometry } from '../../layout/geometry.ts';
import { inParallel } from '../async/in-parallel.ts';
import type { DirtyPart, Table } from '../file/dirty-tables.ts';
import type { HeaderFieldValues } from '../file/header-fields.ts';
import type { ImageFile } from '../file/image-file.ts';

/** Writes the changed parts of refcount blocks. */
export function writeBlocks(file: ImageFile, blocks: readonly DirtyPart<Table>[]): Promise<void> {
  return inParallel(blocks, ({ table, from, bytes }) =>
    file.writeMetadata('a refcount block', table.at + from, bytes),
  );
}

/** The header fields that name the refcount table. */
export function tablePlace(
  table: { readonly at: number; readonly placedBytes: number },
  { clusterSize }: Geometry,
): HeaderFieldValues {
  return { refcountTableOffset: table.at, refcountTableClusters: table.placedBytes / clusterSize };
}
