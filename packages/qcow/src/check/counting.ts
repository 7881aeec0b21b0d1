import { DiskError, type DiskModule, hex, type Io, readFully } from '@diskstack/core';
import type { QcowImage } from '../image.ts';
import type { Findings } from './findings.ts';
import { ReferenceCounts } from './reference-counts.ts';

/** A check under way: the references counted so far, and what was found. */
export class Counting {
  readonly image: QcowImage;
  readonly findings: Findings;
  readonly counts: ReferenceCounts = new ReferenceCounts();
  readonly io: Io;

  constructor(image: QcowImage, findings: Findings, io: Io) {
    this.image = image;
    this.findings = findings;
    this.io = io;
  }

  get clusterSize(): number {
    return this.image.geometry.clusterSize;
  }

  /** Counts one reference (or several) to every cluster that the bytes touch. The last cluster may be cut short. */
  refer(at: number, length: number, what: string, entryAt?: number, times = 1): void {
    if (length === 0) return;
    const end = this.image.file.size();
    if (at + length > end && at + length - end >= this.clusterSize) {
      this.findings.corruption(
        `${what} from byte ${hex(at)} to ${hex(at + length)}, the file ends at ${hex(end)}`,
        entryAt,
      );
      return;
    }
    this.counts.add(
      Math.floor(at / this.clusterSize),
      Math.floor((at + length - 1) / this.clusterSize),
      times,
    );
  }

  /** Reads a structure; one that cannot be read is told, and the check goes on without it. */
  async read(at: number, length: number, what: string): Promise<DataView | undefined> {
    try {
      return await readView(this.image.file, at, length, this.io);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
      this.findings.error(`${what} cannot be read: ${error.message}`, at);
      return undefined;
    }
  }
}

async function readView(file: DiskModule, at: number, length: number, io: Io): Promise<DataView> {
  if (at + length > file.size()) {
    throw new DiskError('ERR_TRUNCATED', `${length} bytes, the file ends at ${file.size()}`, { offset: at });
  }
  const bytes = new Uint8Array(length);
  await readFully(file, at, bytes, io);
  return new DataView(bytes.buffer);
}
