import { DiskError } from '../errors/disk-error.ts';
import { checkBytes, joinHalves } from './safe-number.ts';

/** Decodes and encodes one field of a declared structure. `write` may rely on zeroed bytes. */
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

/** 64 bits as a `bigint`, for bit masks such as feature words. */
export const bits64: Field<bigint> = {
  bytes: 8,
  read: (view, at, le) => view.getBigUint64(at, le),
  write: (view, at, value, le) => view.setBigUint64(at, value, le),
};

/** A byte offset or a size. `ERR_UNSUPPORTED` past 2^53 − 1; `struct` adds the name of the field to the error. */
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

/** `length` bytes, copied. A shorter array is padded with zeroes. */
export function bytes(length: number): Field<Uint8Array> {
  return {
    bytes: length,
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, length).slice(),
    write(view, at, value) {
      if (value.length > length)
        throw new DiskError('ERR_ARGUMENT', `${value.length} bytes do not fit in a field of ${length}`);
      new Uint8Array(view.buffer, view.byteOffset + at, length).set(value);
    },
  };
}

/** Throws if the value does not fit, because a `DataView` would truncate it silently. */
function fitting(value: number, bits: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** bits) return value;
  throw new DiskError('ERR_ARGUMENT', `${value} does not fit in an unsigned field of ${bits} bits`);
}
