import type { WorkIo } from '@diskstack/core';
import { putL1Entry } from '../../layout/l1-entry.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import type { Staging } from '../metadata/staging.ts';
import { bytesOf, copyOf, eachTable, type SnapshotContext } from './snapshot-tables.ts';

/** A copy of an L1 table that will be the active one. */
export class L1Copy {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(like: DataView, entries: number = like.byteLength / 8) {
    this.bytes = new Uint8Array(entries * 8);
    this.bytes.set(new Uint8Array(like.buffer, like.byteOffset, like.byteLength));
    this.view = new DataView(this.bytes.buffer);
  }

  /**
   * Shares an L2 table with a snapshot. None of its entries may have COPIED set. A table with such entries is copied
   * for the active state, without these bits; any other is shared as it is.
   */
  async share(staging: Staging, context: SnapshotContext, index: number, table: L2Table): Promise<void> {
    const { entries, state } = context;
    const { clusterSize, l2Entries } = state.image.geometry;
    let claims = false;
    const copy = copyOf(table);
    for (let entry = 0; entry < l2Entries; entry++) {
      if (!entries.isCopied(table, entry)) continue;
      claims = true;
      entries.put(copy, entry, entries.read(table, entry), false);
    }
    if (claims) {
      const at = await staging.write('an L2 table', bytesOf(copy));
      putL1Entry(this.view, index, at, true);
    } else {
      await staging.refer(table.at / clusterSize);
      putL1Entry(this.view, index, table.at, false);
    }
  }

  /**
   * Sets COPIED, in copies of the L2 tables, for clusters that only the active state has now. Returns whether anything
   * changed.
   */
  async claimAll(staging: Staging, context: SnapshotContext, io: WorkIo): Promise<boolean> {
    const { entries, state } = context;
    const { clusterSize, l2Entries } = state.image.geometry;
    let changed = false;
    await eachTable(context, this.view, io, async (index, table) => {
      if ((await state.refcounts.get(table.at / clusterSize)) !== 1) return; // a shared table has only shared clusters
      const copy = copyOf(table);
      let claims = false;
      for (let entry = 0; entry < l2Entries; entry++) {
        const read = entries.read(table, entry);
        if (read.host === undefined || entries.isCopied(table, entry)) continue;
        if ((await state.refcounts.get(read.host / clusterSize)) !== 1) continue;
        entries.put(copy, entry, read, true);
        claims = true;
      }
      if (claims) {
        const at = await staging.write('an L2 table', bytesOf(copy));
        putL1Entry(this.view, index, at, true);
        await staging.drop(table.at / clusterSize);
        changed = true;
      } else if (!state.tables.isCopied(index)) {
        putL1Entry(this.view, index, table.at, true);
        changed = true;
      }
    });
    return changed;
  }
}
