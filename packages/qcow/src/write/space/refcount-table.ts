import { DiskError } from '@diskstack/core';
import { putRefcountBlockOffset, refcountBlockOffset } from '../../layout/refcount.ts';
import { ChangedRange } from '../file/changed-range.ts';

/** Changed entries of the refcount table, copied to be written, and where the table is. */
export interface RefcountTablePart {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  readonly at: number;
  /** Bytes reserved for the table at its place. */
  readonly placedBytes: number;
  /** The header does not name this place yet. */
  readonly isMoved: boolean;
}

/** The refcount table, held in memory as a whole. qcow2 spec, "Host cluster management". */
export class RefcountTable {
  #view: DataView;
  #at: number;
  /** Bytes reserved for the table at its place. */
  #placedBytes: number;
  /** The header does not name the place of the table yet. */
  #isMoved = false;
  /** The changed entries. */
  readonly #changed = new ChangedRange();

  constructor({ view, at }: { readonly view: DataView; readonly at: number }) {
    this.#view = view;
    this.#at = at;
    this.#placedBytes = view.byteLength;
  }

  /** Byte of the table in the image. */
  get at(): number {
    return this.#at;
  }

  get entries(): number {
    return this.#view.byteLength / 8;
  }

  get placedBytes(): number {
    return this.#placedBytes;
  }

  /** Byte of the block of this entry; 0 for none. */
  blockOffset(index: number): number {
    if (index >= this.entries) return 0;
    return refcountBlockOffset(this.#view.getUint32(index * 8), this.#view.getUint32(index * 8 + 4));
  }

  /** Names the block of an entry; 0 for none. */
  nameBlock(index: number, at: number): void {
    putRefcountBlockOffset(this.#view, index, at);
    this.#changed.add(index, index + 1);
  }

  /**
   * Changes the number of entries in memory. A longer table then needs a new place; a shorter one keeps entries in use.
   */
  resize(entries: number): void {
    let used = this.entries;
    while (used > entries && this.blockOffset(used - 1) === 0) used--; // an entry that names a block is kept
    const bytes = new Uint8Array(Math.max(entries, used) * 8);
    const { buffer, byteOffset, byteLength } = this.#view;
    bytes.set(new Uint8Array(buffer, byteOffset, Math.min(byteLength, bytes.length)));
    this.#view = new DataView(bytes.buffer);
  }

  /** Moves the table. The header names the new place after the next flush. */
  moveTo(at: number): void {
    this.#at = at;
    this.#isMoved = true;
    this.#placedBytes = this.#view.byteLength;
    this.#changed.add(0, this.entries);
  }

  /** Copies the changed entries, to be written. Call `headerNames` or `putBack` for the result. */
  take(): RefcountTablePart | undefined {
    if (this.#changed.isEmpty) return undefined;
    const { from, to } = this.#changed;
    if (to * 8 > this.#placedBytes)
      throw new DiskError('ERR_NO_SPACE', 'no room was found for a longer refcount table');
    this.#changed.clear();
    return {
      from,
      to,
      bytes: this.#copy(from, to),
      at: this.#at,
      placedBytes: this.#placedBytes,
      isMoved: this.#isMoved,
    };
  }

  putBack({ from, to }: RefcountTablePart): void {
    this.#changed.add(from, to);
  }

  /** The header names a table at this place from now on. */
  headerNames(at: number): void {
    if (this.#at === at) this.#isMoved = false;
  }

  /** A copy of all entries. */
  bytes(): Uint8Array {
    return this.#copy(0, this.entries);
  }

  /** The whole table is stored at its place, and the header names it. */
  stored(): void {
    this.#isMoved = false;
    this.#changed.clear();
  }

  /** Drops all changes for a table that is stored in the image. */
  reset({ view, at }: { readonly view: DataView; readonly at: number }): void {
    this.#view = view;
    this.#at = at;
    this.#placedBytes = view.byteLength;
    this.stored();
  }

  #copy(from: number, to: number): Uint8Array {
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + from * 8, (to - from) * 8).slice();
  }
}
