import type { DiskModule } from '@diskstack/core';
import { breathe, type Compress } from '@diskstack/core/format';
import { OverlapGuard } from '../../image/overlap-guard.ts';
import type { Geometry } from '../../layout/geometry.ts';
import { HEADER_V1 } from '../../layout/header.ts';
import { l2TableOffsetV1 } from '../../layout/l1-entry.ts';
import type { L1Table } from '../../tables/l1-table.ts';
import type { L2Tables } from '../../tables/l2-tables.ts';
import { ImageFile } from '../file/image-file.ts';
import { FileEnd } from './file-end.ts';
import { V1Tables } from './v1-tables.ts';
import { V1Writer } from './v1-writer.ts';

/** What has been read of an image that is opened for writing. */
export interface V1Sources {
  readonly file: DiskModule;
  readonly geometry: Geometry;
  readonly l1: L1Table;
  readonly l2Tables: L2Tables;
  readonly base: DiskModule | undefined;
  readonly encrypted: boolean;
  readonly compress: Compress;
}

/**
 * Makes the writer of a version 1 image. Claims the places of its tables, so that no write of data can overwrite one.
 */
export async function openV1Writer(sources: V1Sources): Promise<V1Writer> {
  const { geometry, l1 } = sources;
  const { clusterSize, l2TableBytes } = geometry;
  const file = new ImageFile(sources.file, undefined, new OverlapGuard(clusterSize), clusterSize);
  const end = new FileEnd(file, clusterSize);
  end.claim(0, HEADER_V1.size);
  end.claim(l1.at, l1.view.byteLength);
  for (let position = 0; position < l1.view.byteLength; position += 8) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    const at = l2TableOffsetV1(l1.view.getUint32(position), l1.view.getUint32(position + 4));
    if (at !== 0 && at < sources.file.size()) end.claim(at, l2TableBytes);
  }
  return new V1Writer({ ...sources, file, end, tables: new V1Tables({ ...sources, file, end }) });
}
