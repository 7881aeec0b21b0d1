import { DiskError, hex, type Io } from '@diskstack/core';
import { readFully } from '@diskstack/core/format';
import type { QcowImage } from '../image/image.ts';
import { type MetadataKind, OverlapGuard } from '../image/overlap-guard.ts';
import type { Findings } from './findings.ts';
import { ReferenceCounts } from './reference-counts.ts';

/** A check in progress: the references counted so far, and the findings. */
export class Counting {
  readonly image: QcowImage;
  readonly findings: Findings;
  readonly counts: ReferenceCounts = new ReferenceCounts();
  /** The places of the metadata found so far. */
  readonly metadata: OverlapGuard;
  readonly io: Io;

  constructor(image: QcowImage, findings: Findings, io: Io) {
    this.image = image;
    this.findings = findings;
    this.io = io;
    this.metadata = new OverlapGuard(this.clusterSize);
  }

  get clusterSize(): number {
    return this.image.geometry.clusterSize;
  }

  /**
   * Counts `times` references to every cluster that the bytes touch. The last cluster of the file may be incomplete.
   * Returns false, with a finding, for bytes past it.
   */
  refer(at: number, length: number, what: string, entryAt?: number, times = 1): boolean {
    if (length === 0) return true;
    const end = this.image.file.size();
    if (at + length - end >= this.clusterSize) {
      this.findings.corruption(
        () => `${what} from byte ${hex(at)} to ${hex(at + length)}, the file ends at ${hex(end)}`,
        entryAt,
        times,
      );
      return false;
    }
    this.counts.add(
      Math.floor(at / this.clusterSize),
      Math.floor((at + length - 1) / this.clusterSize),
      times,
    );
    return true;
  }

  /** Like `refer`, for a table entry: a repair can drop one that points past the end of the file. */
  referRepairable(at: number, length: number, what: string, entryAt: number, times = 1): boolean {
    const isThere = this.refer(at, length, what, entryAt, times);
    if (!isThere) this.findings.repairable += times;
    return isThere;
  }

  /** Records the place of metadata. Returns false, with a finding, when it overlaps other metadata. */
  claim(kind: MetadataKind, at: number, length: number): boolean {
    if (length === 0) return true;
    const other = this.metadata.otherThan(kind, at, length);
    if (other === undefined) {
      this.metadata.claim(kind, at, length);
      return true;
    }
    this.findings.unread++;
    this.findings.corruption(`${kind} at byte ${hex(at)} is where ${other} is`, at);
    return false;
  }

  /**
   * Reads a structure that names clusters. Returns `undefined`, with a finding, when it cannot be read.
   *
   * @param into holds the bytes. Default: a new array
   */
  async read(
    at: number,
    length: number,
    what: string,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<DataView | undefined> {
    const { file } = this.image;
    if (at + length > file.size()) {
      this.findings.unread++;
      this.findings.corruption(
        `${what} up to byte ${hex(at + length)} is cut short, the file ends at ${hex(file.size())}`,
        at,
      );
      return undefined;
    }
    try {
      const bytes = into ?? new Uint8Array(length);
      await readFully(file, at, bytes, this.io);
      return new DataView(bytes.buffer, bytes.byteOffset, length);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
      this.findings.unread++;
      this.findings.error(`${what} cannot be read: ${error.message}`, at);
      return undefined;
    }
  }
}
