import type { DiskFormat, OpenContext } from '../../src/contracts/disk-format.ts';
import type { DiskModule, Io } from '../../src/contracts/disk-module.ts';
import type { CandidateName } from '../../src/contracts/named-disk.ts';
import { decodeText, quote } from '../../src/errors/text.ts';
import { MappedDisk } from '../../src/mapping/mapped-disk.ts';
import type { Mapping } from '../../src/mapping/mapping.ts';
import { closeAll } from '../../src/mapping/own-sources.ts';
import { magicAt } from '../../src/probe/magic.ts';

type Name = readonly [name: string, style?: CandidateName['style']];
/** A toy format over several files: a header of JSON, extents of one block each, and a parent of a given UUID behind them. */
export interface SplitHeader {
  readonly uuid?: string;
  readonly extents?: readonly Name[];
  readonly parent?: { readonly uuid?: string; readonly names: readonly Name[] };
}
export const EXTENT = 512;
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const candidate = ([name, style]: Name): CandidateName => ({ name: bytesOf(name), style });

export const splitImage = (header: SplitHeader): Uint8Array<ArrayBuffer> =>
  bytesOf(`SPLT${JSON.stringify(header)}`);

async function load(downstream: DiskModule, context: OpenContext, io: Io): Promise<Mapping> {
  const json = decodeText(await downstream.read(4, downstream.size() - 4));
  const { uuid = '', extents = [], parent }: SplitHeader = JSON.parse(json);
  const opened: DiskModule[] = [];
  try {
    for (const name of extents)
      opened.push(await context.openStorage({ candidates: [candidate(name)], offset: 4 }, io));
    const verify = (disk: DiskModule): string | undefined => {
      const found = disk instanceof MappedDisk ? disk.info().specific?.data.uuid : undefined;
      if (parent?.uuid === undefined || found === parent.uuid) return undefined;
      return `its UUID is ${typeof found === 'string' ? quote(found) : 'missing'}, not ${quote(parent.uuid)}`;
    };
    const candidates = parent?.names.map(candidate) ?? [];
    const base = parent && (await context.openBase({ candidates, uuid: parent.uuid, offset: 4, verify }, io));
    return {
      size: (extents.length + 1) * EXTENT,
      info: { format: 'split', virtualSize: 0, specific: { type: 'split', data: { uuid } } },
      sources: [downstream, ...opened],
      base,
      translate(offset, length, list) {
        const index = Math.floor(offset / EXTENT);
        const part = Math.min(length, EXTENT - (offset % EXTENT));
        if (index < extents.length) list.data(part, offset % EXTENT, index + 1);
        else list.base(part);
        return undefined;
      },
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

export const split: DiskFormat = {
  name: 'split',
  title: 'A toy over several files',
  probe: magicAt(0, 0x53, 0x50, 0x4c, 0x54),
  open: (downstream, context) =>
    new MappedDisk({
      type: 'SPLIT',
      format: 'split',
      downstream,
      ...context,
      load: (io) => load(downstream, context, io),
    }),
};
