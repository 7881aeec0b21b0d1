/**
 * QCOW images written byte by byte, as the specification has them, for what no tool would write. Everything here runs in
 * a browser too, and nothing here is taken from the code under test: offsets are the columns of the specification.
 */

/** qcow2 spec, "Header": byte and width of each field. */
const FIELDS = {
  magic: [0, 4],
  version: [4, 4],
  backingFileOffset: [8, 8],
  backingFileSize: [16, 4],
  clusterBits: [20, 4],
  size: [24, 8],
  cryptMethod: [32, 4],
  l1Size: [36, 4],
  l1TableOffset: [40, 8],
  refcountTableOffset: [48, 8],
  refcountTableClusters: [56, 4],
  nbSnapshots: [60, 4],
  snapshotsOffset: [64, 8],
  incompatibleFeatures: [72, 8],
  compatibleFeatures: [80, 8],
  autoclearFeatures: [88, 8],
  refcountOrder: [96, 4],
  headerLength: [100, 4],
  compressionType: [104, 1],
} as const satisfies Record<string, readonly [number, number]>;

/** Field values that replace the ones of a well-formed header. */
type HeaderFields = Partial<Record<keyof typeof FIELDS, number | bigint>>;

interface ExtensionSpec {
  readonly type: number;
  readonly data: Uint8Array;
  /** The length that its header claims, where it is not that of `data`. */
  readonly length?: number;
}

/** A qcow2 image: what is left out is well-formed. */
export interface ImageSpec {
  /** Default: 3. */
  readonly version?: 2 | 3;
  /** Default: 12, which means clusters of 4 KiB. */
  readonly clusterBits?: number;
  /** Guest bytes. Default: 16 clusters. */
  readonly size?: number;
  /** L2 entries by guest cluster, all in one table. See `standard`, `compressed`, `ZERO_FLAG`. */
  readonly l2?: Readonly<Record<number, bigint>>;
  /** Makes it an image with extended L2 entries: the bitmaps, by guest cluster. */
  readonly bitmaps?: Readonly<Record<number, bigint>>;
  /** The whole L1 table, in place of the one entry that names the L2 table. */
  readonly l1?: readonly bigint[];
  /** Bytes by host offset: cluster contents, or anything else. */
  readonly at?: readonly (readonly [number, Uint8Array])[];
  /** Header fields to write over the well-formed ones. */
  readonly header?: HeaderFields;
  readonly extensions?: readonly ExtensionSpec[];
  /** No end marker after the extensions. */
  readonly unendedExtensions?: boolean;
  readonly backing?: string | Uint8Array;
  /** Byte of the backing name. Default: directly after the extensions. */
  readonly backingAt?: number;
  /** Bytes of the file, in place of whole clusters up to the last thing that is there. */
  readonly fileSize?: number;
}

/** qcow2 spec, "L2 table entry": bit 63. */
export const COPIED = 1n << 63n;
/** qcow2 spec, "Standard Cluster Descriptor": bit 0. */
export const ZERO_FLAG = 1n;

/** Host clusters of the parts of every image made here. Free ones begin at `FIRST_FREE`. */
export const L1_CLUSTER = 2;
export const L2_CLUSTER = 3;
export const FIRST_FREE = 4;

/** The entry of a standard cluster. */
export function standard(hostOffset: number): bigint {
  return COPIED | BigInt(hostOffset);
}

/** qcow2 spec, "Compressed Clusters Descriptor", for `stored` bytes at `hostOffset`. */
export function compressed(hostOffset: number, stored: number, clusterBits = 12): bigint {
  const x = BigInt(62 - (clusterBits - 8));
  const last = Math.floor((hostOffset + stored - 1) / 512);
  const additional = BigInt(last - Math.floor(hostOffset / 512));
  return (1n << 62n) | (additional << x) | BigInt(hostOffset);
}

/** A qcow2 image of version 2 or 3. */
export function qcow2Image(spec: ImageSpec = {}): Uint8Array<ArrayBuffer> {
  const { version = 3, clusterBits = 12, l2 = {}, bitmaps, l1, at = [] } = spec;
  const clusterSize = 2 ** clusterBits;
  const entryBytes = bitmaps === undefined ? 8 : 16;
  const headerLength = version === 2 ? 72 : Number(spec.header?.headerLength ?? 112);
  const size = spec.size ?? 16 * clusterSize;
  const l1Table = l1 ?? [COPIED | BigInt(L2_CLUSTER * clusterSize)];

  const out = new Writer();
  const fields: HeaderFields = {
    magic: 0x514649fb,
    version,
    clusterBits,
    size,
    l1Size: l1Table.length,
    l1TableOffset: L1_CLUSTER * clusterSize,
    refcountTableOffset: clusterSize,
    refcountTableClusters: 1,
  };
  for (const [name, value] of Object.entries(fields)) out.field(name, value);
  if (version === 3) {
    out.field('incompatibleFeatures', bitmaps === undefined ? 0n : 1n << 4n);
    out.field('refcountOrder', 4);
    out.field('headerLength', headerLength);
  }
  const extensionsAt = headerLength >= 72 && headerLength < clusterSize ? headerLength : 112;
  const extensionsEnd = out.extensions(extensionsAt, spec.extensions ?? [], spec.unendedExtensions ?? false);
  if (spec.backing !== undefined) {
    const name = typeof spec.backing === 'string' ? new TextEncoder().encode(spec.backing) : spec.backing;
    const nameAt = spec.backingAt ?? extensionsEnd;
    out.bytes(nameAt, name);
    out.field('backingFileOffset', nameAt);
    out.field('backingFileSize', name.length);
  }
  for (const [name, value] of Object.entries(spec.header ?? {})) out.field(name, value);

  const l1At = Number(spec.header?.l1TableOffset ?? L1_CLUSTER * clusterSize);
  for (const [index, entry] of l1Table.entries()) out.u64(l1At + index * 8, entry);
  const l2At = L2_CLUSTER * clusterSize;
  out.reach(l2At + clusterSize);
  for (const [cluster, entry] of Object.entries(l2)) out.u64(l2At + Number(cluster) * entryBytes, entry);
  for (const [cluster, bitmap] of Object.entries(bitmaps ?? {}))
    out.u64(l2At + Number(cluster) * entryBytes + 8, bitmap);
  for (const [offset, content] of at) out.bytes(offset, content);
  return out.finish(spec.fileSize, clusterSize);
}

/** qemu's block/qcow.c: byte and width of each field of the header of version 1. */
const FIELDS_V1 = {
  magic: [0, 4],
  version: [4, 4],
  backingFileOffset: [8, 8],
  backingFileSize: [16, 4],
  mtime: [20, 4],
  size: [24, 8],
  clusterBits: [32, 1],
  l2Bits: [33, 1],
  cryptMethod: [36, 4],
  l1TableOffset: [40, 8],
} as const satisfies Record<string, readonly [number, number]>;

export interface ImageSpecV1 {
  /** Default: 12. */
  readonly clusterBits?: number;
  /** Default: 9, which means L2 tables of 4 KiB. */
  readonly l2Bits?: number;
  readonly size?: number;
  /** Byte of the L1 table, at any alignment. Default: 48, directly after the header. */
  readonly l1At?: number;
  /** L2 tables by number: the byte of each and its entries by index. */
  readonly tables?: Readonly<Record<number, { at: number; entries: Readonly<Record<number, bigint>> }>>;
  readonly at?: readonly (readonly [number, Uint8Array])[];
  readonly header?: Partial<Record<keyof typeof FIELDS_V1, number | bigint>>;
  readonly backing?: string;
  readonly fileSize?: number;
}

/** The entry of a compressed cluster of version 1: its size is in bytes. */
export function compressedV1(hostOffset: number, stored: number, clusterBits = 12): bigint {
  return (1n << 63n) | (BigInt(stored) << BigInt(63 - clusterBits)) | BigInt(hostOffset);
}

/** A QCOW image of version 1. */
export function qcow1Image(spec: ImageSpecV1 = {}): Uint8Array<ArrayBuffer> {
  const { clusterBits = 12, l2Bits = 9, l1At = 48, tables = {}, at = [] } = spec;
  const size = spec.size ?? 16 * 2 ** clusterBits;
  const out = new Writer(FIELDS_V1);
  const fields = { magic: 0x514649fb, version: 1, size, clusterBits, l2Bits, l1TableOffset: l1At };
  for (const [name, value] of Object.entries(fields)) out.field(name, value);
  const l1Entries = Math.ceil(size / 2 ** (clusterBits + l2Bits));
  out.reach(l1At + l1Entries * 8);
  if (spec.backing !== undefined) {
    const name = new TextEncoder().encode(spec.backing);
    const nameAt = l1At + l1Entries * 8;
    out.bytes(nameAt, name);
    out.field('backingFileOffset', nameAt);
    out.field('backingFileSize', name.length);
  }
  for (const [index, table] of Object.entries(tables)) {
    out.u64(l1At + Number(index) * 8, BigInt(table.at));
    out.reach(table.at + 2 ** l2Bits * 8);
    for (const [entry, value] of Object.entries(table.entries)) out.u64(table.at + Number(entry) * 8, value);
  }
  for (const [name, value] of Object.entries(spec.header ?? {})) out.field(name, value);
  for (const [offset, content] of at) out.bytes(offset, content);
  return out.finish(spec.fileSize, 1);
}

/** Bytes that grow as they are written. */
class Writer {
  #bytes = new Uint8Array(65536);
  #length = 0;
  readonly #fields: Readonly<Record<string, readonly [number, number]>>;

  constructor(fields: Readonly<Record<string, readonly [number, number]>> = FIELDS) {
    this.#fields = fields;
  }

  field(name: string, value: number | bigint): void {
    const [at, width] = this.#fields[name] ?? [0, 0];
    if (width === 0) throw new Error(`no header field ${name}`);
    for (let index = 0; index < width; index++) {
      const byte = (BigInt(value) >> BigInt(8 * (width - 1 - index))) & 0xffn;
      this.bytes(at + index, Uint8Array.of(Number(byte)));
    }
  }

  u64(at: number, value: bigint): void {
    this.reach(at + 8);
    new DataView(this.#bytes.buffer).setBigUint64(at, value);
  }

  bytes(at: number, bytes: Uint8Array): void {
    this.reach(at + bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Writes header extensions from `at` on and returns the next free byte. */
  extensions(at: number, extensions: readonly ExtensionSpec[], unended: boolean): number {
    let position = at;
    for (const { type, data, length = data.length } of extensions) {
      this.u64(position, (BigInt(type) << 32n) | BigInt(length));
      this.bytes(position + 8, data);
      position += 8 + Math.ceil(data.length / 8) * 8;
    }
    if (unended) return position;
    this.u64(position, 0n);
    return position + 8;
  }

  reach(end: number): void {
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(end * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#length = Math.max(this.#length, end);
  }

  finish(fileSize: number | undefined, unit: number): Uint8Array<ArrayBuffer> {
    const length = fileSize ?? Math.ceil(this.#length / unit) * unit;
    this.reach(length);
    return this.#bytes.slice(0, length);
  }
}
