import type { DiskModule, Io } from '@diskstack/core';
import { startsWithAt } from '@diskstack/core/format';
import type { LayoutContext, VolumeLayout, VolumeSet } from '@diskstack/core/volumes';
import { readEntries } from './entries.ts';
import { MAGIC, TABLE } from './layout/table.ts';
import { entryVolume } from './volume.ts';

/** One line on what the layout finds. */
export const theName: VolumeLayout = {
  name: 'the-name',
  title: 'the-name tables',
  async find(members, context, io = {}) {
    const sets: VolumeSet[] = [];
    for (const [index, { disk }] of members.entries()) {
      const set = await readTable(disk, index, context, io);
      if (set !== undefined) sets.push(set);
    }
    return sets;
  },
};

/** The table of one disk; `undefined` if it has none. A damaged table is a set with a `problem`. */
async function readTable(
  disk: DiskModule,
  index: number,
  { limits }: LayoutContext,
  io: Io,
): Promise<VolumeSet | undefined> {
  const head = await disk.read(0, TABLE.size, io);
  if (head.length < TABLE.size || !startsWithAt(head, 0, MAGIC)) return undefined;
  const { entryCount } = TABLE.decode(head);
  const found = { layout: 'the-name', members: [index] };
  if (entryCount > limits.maxPartitions) {
    const problem = `the table has ${entryCount} entries, the limit is ${limits.maxPartitions}`;
    return { ...found, volumes: [], problem };
  }
  const entries = await readEntries(disk, entryCount, io);
  return { ...found, volumes: entries.map((entry, slot) => entryVolume(disk, slot + 1, entry)) };
}
