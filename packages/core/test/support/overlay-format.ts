import type { DiskFormat } from '../../src/contracts/disk-format.ts';
import type { NamedDisk } from '../../src/contracts/named-disk.ts';
import { DiskError } from '../../src/errors/disk-error.ts';
import { readFully } from '../../src/io/range.ts';
import { MappedDisk } from '../../src/mapping/mapped-disk.ts';
import type { Load } from '../../src/mapping/mapping.ts';
import type { Placement } from '../../src/mapping/mapping-writer.ts';
import { magicAt } from '../../src/probe/magic.ts';

/** Two formats for tests of stacks: an overlay whose header names its backing file, and plain bytes. */

/** Bytes of a block. */
export const BLOCK = 512;
/** Blocks of the disk that an overlay presents. */
const BLOCKS = 8;
/** Guest bytes of an overlay. */
export const GUEST_BYTES = BLOCKS * BLOCK;

const MAGIC = [0x4f, 0x56, 0x4c, 0x59]; // 'OVLY'
const AT = { version: 4, owned: 5, nameLength: 6, formatLength: 7, name: 16 } as const;

export interface OverlayOptions {
  /** Name of the backing file: text, or the bytes themselves. None when absent. */
  readonly base?: string | Uint8Array;
  /** The recorded format of the backing file. */
  readonly format?: string;
  /** Every byte of the overlay's own blocks. */
  readonly fill?: number;
  /** Blocks that the overlay holds itself, from the first one on. Default: 1. */
  readonly owned?: number;
  /** Anything but 1 is corrupt. */
  readonly version?: number;
}

/** The bytes of an overlay image. */
export function overlayImage(options: OverlayOptions = {}): Uint8Array<ArrayBuffer> {
  const { base, format = '', fill = 0xaa, owned = 1, version = 1 } = options;
  const name = typeof base === 'string' ? new TextEncoder().encode(base) : (base ?? new Uint8Array(0));
  const image = new Uint8Array(BLOCK + owned * BLOCK).fill(fill, BLOCK);
  image.set(MAGIC);
  image.set([version, owned, name.length, format.length], AT.version);
  image.set(name, AT.name);
  image.set(new TextEncoder().encode(format), AT.name + name.length);
  if (base !== undefined && name.length === 0) image[AT.version + 4] = 1; // a name that is there, and empty
  return image;
}

const loadOverlay: Load = async (downstream, context, io) => {
  if (downstream.size() < BLOCK) throw new DiskError('ERR_TRUNCATED', 'the header is cut short');
  const header = new Uint8Array(BLOCK);
  await readFully(downstream, 0, header, io);
  if (MAGIC.some((byte, index) => header[index] !== byte)) {
    throw new DiskError('ERR_NOT_THIS_FORMAT', 'the magic number is not there');
  }
  const [version, owned = 0, nameLength = 0, formatLength = 0, isEmpty] = header.subarray(AT.version);
  if (version !== 1) throw new DiskError('ERR_CORRUPT', `version ${version}, not 1`, { offset: AT.version });
  const formatAt = AT.name + nameLength;
  const format = new TextDecoder().decode(header.subarray(formatAt, formatAt + formatLength));
  const named: NamedDisk = {
    candidates: [{ name: header.subarray(AT.name, formatAt) }],
    format: format === '' ? undefined : format,
    offset: AT.name,
  };
  const hasBase = nameLength > 0 || isEmpty === 1;
  const base = hasBase ? await context.openBase(named, io) : undefined;
  return {
    size: GUEST_BYTES,
    info: { format: 'overlay', virtualSize: GUEST_BYTES },
    base,
    translate(offset, length, extents) {
      const end = owned * BLOCK;
      const inside = Math.max(0, Math.min(length, end - offset));
      if (inside > 0) extents.data(inside, BLOCK + offset);
      if (inside < length) extents.base(length - inside);
      return undefined;
    },
  };
};

/** The overlay: it cannot be written. */
export const overlay: DiskFormat = {
  name: 'overlay',
  title: 'A toy overlay',
  probe: magicAt(0, ...MAGIC),
  open: (downstream, context) =>
    new MappedDisk({
      type: 'OVERLAY',
      format: 'overlay',
      downstream,
      ...context,
      load: (io) => loadOverlay(downstream, context, io),
    }),
};

function identity(offset: number, length: number): Placement {
  return { length, parts: [{ offset, length, at: offset, before: 0, after: 0 }] };
}

const loadPlain: Load = async (downstream) => ({
  size: downstream.size(),
  info: { format: 'plain', virtualSize: downstream.size() },
  transparent: true,
  translate(offset, length, extents) {
    extents.data(length, offset);
    return undefined;
  },
  writer: {
    unit: 1,
    inPlace: (offset, length) => identity(offset, length),
    place: async (offset, length) => identity(offset, length),
  },
});

/** The bytes as they are; what nothing else claims. */
export const plain: DiskFormat = {
  name: 'plain',
  title: 'Plain bytes',
  probe: () => 'fallback',
  open: (downstream, context) =>
    new MappedDisk({
      type: 'PLAIN',
      format: 'plain',
      downstream,
      ...context,
      load: (io) => loadPlain(downstream, context, io),
    }),
};
