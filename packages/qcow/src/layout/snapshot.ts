import { bits64, decodeText, joinHalves, struct, u16, u32 } from '@diskstack/core/format';

/** qcow2 spec, "Snapshot table entry", bytes 0 to 39. Extra data, ID and name follow. */
export const SNAPSHOT = struct('big', {
  l1TableOffset: bits64,
  l1Size: u32,
  idSize: u16,
  nameSize: u16,
  dateSec: u32,
  dateNsec: u32,
  vmClockNsecHi: u32,
  vmClockNsecLo: u32,
  vmStateSize: u32,
  extraDataSize: u32,
});

/** qcow2 spec, "Snapshot table entry": bytes 40 to 47, 48 to 55 and 56 to 63, as far as the extra data reaches. */
const EXTRA = { vmStateSize: 0, diskSize: 8, icount: 16 } as const;
/** Bytes of extra data that current writers make. */
const FULL_EXTRA = 24;
/** The `icount` that means "unknown". */
const NO_ICOUNT = 0xffffffffffffffffn;
const NANOSECONDS = 1_000_000_000n;

/** An entry of the snapshot table. */
export interface Snapshot {
  /** Byte of the entry in the image. */
  readonly at: number;
  readonly id: string;
  /** Data from the image: quote it. */
  readonly name: string;
  /** Byte of its L1 table in the image. Rounded past 2^53 − 1, where no file reaches. */
  readonly l1TableOffset: number;
  /** Entries of its L1 table. */
  readonly l1Size: number;
  /**
   * Size of the guest disk when the snapshot was taken. `undefined` when the entry does not record it: then it is the
   * current size. A `bigint` past 2^53 − 1, where no disk can be opened.
   */
  readonly diskSize: number | bigint | undefined;
  /** When it was taken, in seconds since 1970. */
  readonly dateSec: number;
  readonly dateNsec: number;
  /** How long the guest had run. */
  readonly vmClockSec: number;
  readonly vmClockNsec: number;
  /** Bytes of the saved VM state. A `bigint` past 2^53 − 1. */
  readonly vmStateSize: number | bigint;
  /** Number of executed instructions; `undefined` when unknown. */
  readonly icount: number | undefined;
  /** Bytes of extra data according to the entry. */
  readonly extraDataSize: number;
  /** Bytes of extra data with which the entry was read. */
  readonly extraBytes: number;
}

/** The most extra data that qemu accepts. The specification has no limit. */
export const MOST_EXTRA_BYTES = 1024;

/**
 * Bytes of the entry at `position`, without padding; `undefined` when the part ends before the length is known.
 *
 * @param doubtsExtra treat more extra data than qemu accepts as the usual amount
 */
export function snapshotBytes(part: Uint8Array, position: number, doubtsExtra: boolean): number | undefined {
  if (position + SNAPSHOT.size > part.length) return undefined;
  const { extraDataSize, idSize, nameSize } = SNAPSHOT.decode(part.subarray(position), position);
  return SNAPSHOT.size + extraBytesOf(extraDataSize, doubtsExtra) + idSize + nameSize;
}

function extraBytesOf(extraDataSize: number, doubtsExtra: boolean): number {
  return doubtsExtra && extraDataSize > MOST_EXTRA_BYTES ? FULL_EXTRA : extraDataSize;
}

/**
 * Decodes the entry at `position` of a part of the table. Returns it and the position of the next one: entries are
 * padded to 8 bytes. `undefined` when the part ends before the entry does.
 *
 * @param partAt byte of the part in the image, for errors
 * @param doubtsExtra see `snapshotBytes`
 */
export function decodeSnapshot(
  part: Uint8Array,
  position: number,
  partAt: number,
  doubtsExtra = false,
): { readonly snapshot: Snapshot; readonly next: number } | undefined {
  const at = partAt + position;
  const length = snapshotBytes(part, position, doubtsExtra);
  if (length === undefined || position + length > part.length) return undefined;
  const entry = SNAPSHOT.decode(part.subarray(position), at);
  const extraBytes = extraBytesOf(entry.extraDataSize, doubtsExtra);
  const extraAt = position + SNAPSHOT.size;
  const idAt = extraAt + extraBytes;
  const nameAt = idAt + entry.idSize;
  const end = position + length;
  const extra = new DataView(part.buffer, part.byteOffset + extraAt, extraBytes);
  const vmClock = (BigInt(entry.vmClockNsecHi) << 32n) | BigInt(entry.vmClockNsecLo);
  const snapshot: Snapshot = {
    at,
    id: decodeText(part.subarray(idAt, nameAt)),
    name: decodeText(part.subarray(nameAt, end)),
    l1TableOffset: Number(entry.l1TableOffset),
    l1Size: entry.l1Size,
    diskSize: extraSize(extra, EXTRA.diskSize),
    dateSec: entry.dateSec,
    dateNsec: entry.dateNsec,
    vmClockSec: Number(vmClock / NANOSECONDS),
    vmClockNsec: Number(vmClock % NANOSECONDS),
    vmStateSize: extraSize(extra, EXTRA.vmStateSize) ?? entry.vmStateSize,
    icount: icountOf(extra),
    extraDataSize: entry.extraDataSize,
    extraBytes,
  };
  return { snapshot, next: Math.ceil(end / 8) * 8 };
}

function extraSize(extra: DataView, field: number): number | bigint | undefined {
  if (extra.byteLength < field + 8) return undefined;
  return joinHalves(extra.getUint32(field), extra.getUint32(field + 4)) ?? extra.getBigUint64(field);
}

function icountOf(extra: DataView): number | undefined {
  if (extra.byteLength < EXTRA.icount + 8) return undefined;
  const icount = extra.getBigUint64(EXTRA.icount);
  return icount === NO_ICOUNT || icount > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(icount);
}

/** A new snapshot, without VM state. */
export interface NewSnapshot {
  readonly id: string;
  readonly name: string;
  readonly l1TableOffset: number;
  readonly l1Size: number;
  readonly diskSize: number;
  readonly dateSec: number;
  readonly dateNsec: number;
}

/**
 * An entry with complete extra data. Missing fields get the values that readers assume. Further extra data is kept, up
 * to the limit of qemu.
 *
 * @param entry the bytes of one entry, padding included
 * @param extraBytes bytes of extra data with which the entry was read
 * @param size current size of the guest disk, for a snapshot that does not record its own
 */
export function completeSnapshot(entry: Uint8Array, extraBytes: number, size: number): Uint8Array {
  const { idSize, nameSize, extraDataSize, vmStateSize } = SNAPSHOT.decode(entry, 0);
  if (extraDataSize >= FULL_EXTRA && extraDataSize <= MOST_EXTRA_BYTES) return entry;
  const idAt = SNAPSHOT.size + FULL_EXTRA;
  const bytes = new Uint8Array(Math.ceil((idAt + idSize + nameSize) / 8) * 8);
  bytes.set(entry.subarray(0, SNAPSHOT.size));
  const view = new DataView(bytes.buffer);
  const { size: extraAt } = SNAPSHOT;
  view.setUint32(SNAPSHOT.at.extraDataSize, FULL_EXTRA);
  view.setBigUint64(extraAt + EXTRA.vmStateSize, BigInt(vmStateSize));
  view.setBigUint64(extraAt + EXTRA.diskSize, BigInt(size));
  view.setBigUint64(extraAt + EXTRA.icount, NO_ICOUNT);
  const whole = Math.min(extraBytes - (extraBytes % 8), FULL_EXTRA); // an incomplete field is ignored
  bytes.set(entry.subarray(extraAt, extraAt + whole), extraAt);
  const textAt = extraAt + extraBytes;
  bytes.set(entry.subarray(textAt, textAt + idSize + nameSize), idAt);
  return bytes;
}

/** qcow2 spec, "Snapshot table entry", with complete extra data, padded to 8 bytes. */
export function encodeSnapshot(snapshot: NewSnapshot): Uint8Array {
  const text = new TextEncoder();
  const [id, name] = [text.encode(snapshot.id), text.encode(snapshot.name)];
  const extraBytes = FULL_EXTRA;
  const idAt = SNAPSHOT.size + extraBytes;
  const bytes = new Uint8Array(Math.ceil((idAt + id.length + name.length) / 8) * 8);
  const view = new DataView(bytes.buffer);
  const { at } = SNAPSHOT;
  view.setBigUint64(at.l1TableOffset, BigInt(snapshot.l1TableOffset));
  view.setUint32(at.l1Size, snapshot.l1Size);
  view.setUint16(at.idSize, id.length);
  view.setUint16(at.nameSize, name.length);
  view.setUint32(at.dateSec, snapshot.dateSec);
  view.setUint32(at.dateNsec, snapshot.dateNsec);
  view.setUint32(at.extraDataSize, extraBytes);
  view.setBigUint64(SNAPSHOT.size + EXTRA.diskSize, BigInt(snapshot.diskSize));
  view.setBigUint64(SNAPSHOT.size + EXTRA.icount, NO_ICOUNT);
  bytes.set(id, idAt);
  bytes.set(name, idAt + id.length);
  return bytes;
}
