import { breathe } from '../async/breathe.ts';
import { can } from '../contracts/abilities.ts';
import type { Cloner } from '../contracts/cloner.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { throwIfAborted } from '../errors/disk-error.ts';
import type { ExtentWriter } from './extent-writer.ts';
import type { Mapping } from './mapping.ts';
import type { MappingWriter, PlacedPart } from './mapping-writer.ts';

/** The most guest bytes that are placed at a time. Their tables change without a pause. */
const PIECE = 16 * 1024 * 1024;

/** The layer that is cloned into. */
export interface ClonedLayer {
  readonly mapping: Mapping;
  readonly format: MappingWriter;
  readonly writer: ExtentWriter;
  /** Disks by their number in `PlacedPart`. */
  readonly disks: readonly (DiskModule | undefined)[];
}

/**
 * Clones into the places that a format returns: as a write, but the bytes come from the storage of another disk. Data is there
 * before the format maps it. `undefined` if no disk of the layer shares blocks with `source`, or if the layer is encrypted.
 */
export async function mappingCloner(layer: ClonedLayer, source: DiskModule): Promise<Cloner | undefined> {
  const { mapping, format, disks } = layer;
  if (mapping.cipher !== undefined) return undefined;
  const cloners: (Cloner | undefined)[] = [];
  for (const disk of disks)
    cloners.push(disk && can(disk, 'cloneFrom') ? await disk.cloneFrom(source) : undefined);
  const present = cloners.filter((cloner) => cloner !== undefined);
  if (present.length === 0) return undefined;
  return {
    blockSize: Math.max(...present.map(({ blockSize }) => blockSize)),
    unit: Math.max(format.unit, ...present.map(({ unit }) => unit)),
    async clone(from, to, length, io = {}) {
      for (let done = 0; done < length; ) {
        throwIfAborted(io.signal);
        const pause = breathe();
        if (pause !== undefined) await pause;
        const piece = Math.min(PIECE, length - done);
        if (!(await clonePiece(layer, cloners, { from: from + done, to: to + done, length: piece }, io)))
          return false;
        done += piece;
      }
      return true;
    },
  };
}

interface Piece {
  /** Offset in the source. */
  readonly from: number;
  /** Guest offset. */
  readonly to: number;
  readonly length: number;
}

/** Returns false if a part cannot be cloned. The parts before it may have the new bytes already. */
async function clonePiece(
  { format, writer }: ClonedLayer,
  cloners: readonly (Cloner | undefined)[],
  { from, to, length }: Piece,
  io: Io,
): Promise<boolean> {
  const release = await writer.lock(to, to + length, true, io);
  try {
    const recording = format.record?.(to, length);
    if (recording !== undefined) await recording;
    for (let done = 0; done < length; ) {
      const placement = await format.place(to + done, length - done, io);
      let isCloned = false;
      try {
        isCloned = await cloneParts(placement.parts, cloners, from - to, io);
      } finally {
        if (!isCloned) placement.abandon?.();
      }
      if (!isCloned) return false;
      placement.commit?.();
      done += placement.length;
    }
    return true;
  } finally {
    release();
  }
}

/** `shift`: what a guest offset lacks to the offset in the source. */
async function cloneParts(
  parts: readonly PlacedPart[],
  cloners: readonly (Cloner | undefined)[],
  shift: number,
  io: Io,
): Promise<boolean> {
  for (const { offset, length, at, source = 0, before, after } of parts) {
    const cloner = cloners[source];
    if (cloner === undefined || before + after > 0) return false;
    if (at % cloner.unit !== 0 || length % cloner.unit !== 0) return false;
    if (!(await cloner.clone(offset + shift, at, length, io))) return false;
  }
  return true;
}
