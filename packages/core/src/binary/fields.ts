import { DiskError } from '../errors/disk-error.ts';
import { checkBytes, joinHalves } from './safe-number.ts';

/** One field of a declared layout, both ways. `write` puts the value into bytes that are zeroes. */
export interface Field<T> {
  readonly bytes: number;
  read(view: DataView, at: number, littleEndian: boolean): T;
  write(view: DataView, at: number, value: T, littleEndian: boolean): void;
}

export const u8: Field<number> = {
  bytes: 1,
  read: (view, at) => view.getUint8(at),
  write: (view, at, value) => view.setUint8(at, fitting(value, 8)),
};

export const u16: Field<number> = {
  bytes: 2,
  read: (view, at, le) => view.getUint16(at, le),
  write: (view, at, value, le) => view.setUint16(at, fitting(value, 16), le),
};

export const u32: Field<number> = {
  bytes: 4,
  read: (view, at, le) => view.getUint32(at, le),
  write: (view, at, value, le) => view.setUint32(at, fitting(value, 32), le),
};

/** 64 bits as they are: feature words and the like, where bits count and not the value. */
export const bits64: Field<bigint> = {
  bytes: 8,
  read: (view, at, le) => view.getBigUint64(at, le),
  write: (view, at, value, le) => view.setBigUint64(at, value, le),
};

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
  write(view, at, value, le) {
    checkBytes(value, 'a value of 64 bits');
    view.setBigUint64(at, BigInt(value), le);
  },
};

/** `length` bytes, copied. A shorter array is written with zeroes behind it. */
export function bytes(length: number): Field<Uint8Array> {
  return {
    bytes: length,
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, length).slice(),
    write(view, at, value) {
      if (value.length > length)
        throw new DiskError('ERR_ARGUMENT', `${value.length} bytes in a field of ${length}`);
      new Uint8Array(view.buffer, view.byteOffset + at, length).set(value);
    },
  };
}

/** A view would cut what does not fit, and say nothing. */
function fitting(value: number, bits: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** bits) return value;
  throw new DiskError('ERR_ARGUMENT', `${value} in a field of ${bits} bits`);
}
