import { MemoryDisk } from '@diskstack/core';
import { crc32 } from '@diskstack/core/format';

/** How a hand-made physical volume differs from an ordinary one. */
export interface PvRecipe {
  /** 32 characters, without dashes. */
  readonly uuid?: string;
  /** Bytes. */
  readonly size?: number;
  /** Sector of the label. */
  readonly labelSector?: number;
  readonly areas?: readonly MdaRecipe[];
  readonly writable?: boolean;
  /** Changes the finished bytes. */
  readonly damage?: (bytes: Uint8Array) => void;
}

interface MdaRecipe {
  readonly at: number;
  readonly size: number;
  /** Default: the area is empty. */
  readonly text?: string;
  /** The byte of the area at which the text starts. It wraps around at the end of the area. */
  readonly offset?: number;
  readonly ignored?: boolean;
}

export const SECTOR = 512;
const INITIAL_CRC = 0xf597_a6cf;
const encoder = new TextEncoder();

export const UUIDS = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(32));

/** With dashes, as in a metadata text. */
function dashed(uuid = ''): string {
  return uuid.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');
}

/** The bytes of a physical volume: extents of 64 KiB from byte 64 KiB on fit behind its first metadata area. */
export function pvBytes(recipe: PvRecipe = {}): Uint8Array {
  const { uuid = UUIDS[0] ?? '', size = 1024 * 1024, labelSector = 1, areas = [], damage } = recipe;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const labelAt = labelSector * SECTOR;
  let at = labelAt + 32;
  const u64 = (position: number, value: number): void => view.setBigUint64(position, BigInt(value), true);
  const put = (value: number): void => {
    u64(at, value);
    at += 8;
  };
  bytes.set(encoder.encode('LABELONE'), labelAt);
  u64(labelAt + 8, labelSector);
  view.setUint32(labelAt + 20, 32, true);
  bytes.set(encoder.encode('LVM2 001'), labelAt + 24);
  bytes.set(encoder.encode(uuid), at);
  at += 32;
  for (const value of [size, 65_536, 0, 0, 0]) put(value);
  for (const area of areas) {
    put(area.at);
    put(area.size);
    writeArea(bytes, area);
  }
  put(0);
  put(0);
  view.setUint32(at, 2, true);
  view.setUint32(labelAt + 16, crc32(bytes.subarray(labelAt + 20, labelAt + SECTOR), INITIAL_CRC, 0), true);
  damage?.(bytes);
  return bytes;
}

export async function pvDisk(recipe: PvRecipe = {}): Promise<MemoryDisk> {
  const disk = new MemoryDisk(pvBytes(recipe), { writable: recipe.writable ?? false });
  await disk.init();
  return disk;
}

function writeArea(bytes: Uint8Array, { at, size, text, offset = 512, ignored = false }: MdaRecipe): void {
  const view = new DataView(bytes.buffer);
  bytes.set(encoder.encode(' LVM2 x[5A%r0N*>'), at + 4);
  view.setUint32(at + 20, 1, true);
  view.setBigUint64(at + 24, BigInt(at), true);
  view.setBigUint64(at + 32, BigInt(size), true);
  if (text !== undefined) {
    const stored = encoder.encode(`${text}\0`);
    view.setBigUint64(at + 40, BigInt(offset), true);
    view.setBigUint64(at + 48, BigInt(stored.length), true);
    view.setUint32(at + 56, crc32(stored, INITIAL_CRC, 0), true);
    view.setUint32(at + 60, ignored ? 1 : 0, true);
    for (const [index, byte] of stored.entries()) {
      const position = offset + index;
      bytes[at + (position < size ? position : position - size + 512)] = byte;
    }
  }
  view.setUint32(at, crc32(bytes.subarray(at + 4, at + 512), INITIAL_CRC, 0), true);
}

/** The text of a group of extents of 64 KiB, with 8 of them on each physical volume. */
export function groupText(
  volumes: string,
  options: { seqno?: number; pvs?: number; name?: string; id?: string } = {},
): string {
  const { seqno = 1, pvs = 1, name = 'vg', id = 'group1' } = options;
  const physical = UUIDS.slice(0, pvs).map(
    (uuid, index) =>
      `pv${index} { id = "${dashed(uuid)}" status = ["ALLOCATABLE"] pe_start = 128 pe_count = 8 dev_size = 2048 }`,
  );
  return `${name} { id = "${id}" seqno = ${seqno} status = ["RESIZEABLE"] extent_size = 128
    physical_volumes { ${physical.join('\n')} }
    logical_volumes { ${volumes} } }`;
}

/** A volume of segments, each given by its extents and its fields. */
export function volumeText(
  name: string,
  segments: readonly (readonly [number, string])[],
  status = '"READ", "WRITE", "VISIBLE"',
): string {
  let start = 0;
  const parts = segments.map(([extents, fields], index) => {
    const text = `segment${index + 1} { start_extent = ${start} extent_count = ${extents} ${fields} }`;
    start += extents;
    return text;
  });
  return `${name} { id = "${name}-id" status = [${status}] segment_count = ${segments.length} ${parts.join(' ')} }\n`;
}

export function linearText(name: string, pv: string, extent: number, extents = 1): string {
  return volumeText(name, [[extents, `type = "striped" stripe_count = 1 stripes = ["${pv}", ${extent}]`]]);
}

/** A physical volume with one metadata area that holds this text. */
export function pvWith(text: string, recipe: PvRecipe = {}): Promise<MemoryDisk> {
  return pvDisk({ areas: [{ at: 4096, size: 60 * 1024, text }], ...recipe });
}
