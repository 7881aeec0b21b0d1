import { DiskError } from '../contracts/errors.ts';
import { joinHalves } from './safe-number.ts';

/** One field of a declared layout. */
export interface Field<T> {
  readonly bytes: number;
  read(view: DataView, at: number, littleEndian: boolean): T;
}

export const u8: Field<number> = { bytes: 1, read: (view, at) => view.getUint8(at) };
export const u16: Field<number> = { bytes: 2, read: (view, at, le) => view.getUint16(at, le) };
export const u32: Field<number> = { bytes: 4, read: (view, at, le) => view.getUint32(at, le) };

/** 64 bits as they are: feature words and the like, where bits count and not the value. */
export const bits64: Field<bigint> = { bytes: 8, read: (view, at, le) => view.getBigUint64(at, le) };

/** A byte offset or a size. Past 2^53 − 1 it is refused; the layout adds the field's name. */
export const offset64: Field<number> = {
  bytes: 8,
  read(view, at, le) {
    const value = joinHalves(view.getUint32(le ? at + 4 : at, le), view.getUint32(le ? at : at + 4, le));
    if (value !== undefined) return value;
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `${view.getBigUint64(at, le)} is past 2^53 - 1, the largest offset`,
    );
  },
};

/** `length` bytes, copied. */
export function bytes(length: number): Field<Uint8Array> {
  return {
    bytes: length,
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, length).slice(),
  };
}
