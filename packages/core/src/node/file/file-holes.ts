import { fstatSync } from 'node:fs';
import type { ExtentsIo } from '../../contracts/abilities.ts';
import type { DiskExtent } from '../../contracts/extent.ts';
import type { Holes } from '../../contracts/host.ts';
import { askHoles, knowsHoles, type OpenFile } from './ask-holes.ts';
import { readHoles } from './read-holes.ts';

/** The holes of a file, from its file system where the host can ask it, and else by reading. */
export async function* fileHoles(
  file: OpenFile,
  holes: Holes | undefined,
  offset: number,
  length: number,
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  if (holes !== undefined && knowsHoles(holes, file, offset))
    yield* askHoles(holes, file, offset, length, io);
  else yield* readHoles(file.disk, fstatSync(file.descriptor()), offset, length, io);
}
