import { DiskError } from '../errors/disk-error.ts';
import type { Field } from './fields.ts';

type Fields = { readonly [name: string]: Field<unknown> };
type Decoded<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** A declared on-disk structure: fields in file order, all with the same byte order. */
export interface Struct<F extends Fields> {
  /** Size of the structure in bytes. */
  readonly size: number;
  /** Byte offset of each field from the start of the structure. */
  readonly at: { readonly [K in keyof F]: number };
  /**
   * Decodes the first `size` bytes; `ERR_TRUNCATED` if there are fewer. `at`: offset of the structure, for errors. Default: 0.
   */
  decode(bytes: Uint8Array, at?: number): Decoded<F>;
  /** Returns the bytes of the structure. `ERR_ARGUMENT`, with the name of the field, for a value that does not fit. */
  encode(values: Decoded<F>): Uint8Array<ArrayBuffer>;
}

/** Declares a structure: fields in the order of the specification, with its names in camelCase. Derives types and offsets. */
export function struct<F extends Fields>(byteOrder: 'big' | 'little', fields: F): Struct<F> {
  const offsets: Record<string, number> = {};
  const members: Member[] = []; // computed once, because headers are decoded for each image of a chain
  let size = 0;
  for (const [name, field] of Object.entries(fields)) {
    offsets[name] = size;
    members.push({ name, field, position: size });
    size += field.bytes;
  }
  const littleEndian = byteOrder === 'little';
  return {
    size,
    at: offsets as Struct<F>['at'],
    decode(bytes, at = 0) {
      if (bytes.length < size) {
        throw new DiskError('ERR_TRUNCATED', `a structure of ${size} bytes has only ${bytes.length}`, {
          offset: at,
        });
      }
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const decoded: Record<string, unknown> = {};
      for (const member of members) decoded[member.name] = readMember(member, view, littleEndian, at);
      return decoded as Decoded<F>;
    },
    encode(values) {
      const bytes = new Uint8Array(size);
      const view = new DataView(bytes.buffer);
      for (const member of members) writeMember(member, view, values[member.name], littleEndian);
      return bytes;
    },
  };
}

interface Member {
  readonly name: string;
  readonly field: Field<unknown>;
  /** Byte offset in the structure. */
  readonly position: number;
}

function writeMember(
  { name, field, position }: Member,
  view: DataView,
  value: unknown,
  littleEndian: boolean,
): void {
  try {
    field.write(view, position, value, littleEndian);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    throw new DiskError(error.code, `${name}: ${error.reason}`, { hint: error.hint, cause: error });
  }
}

function readMember(
  { name, field, position }: Member,
  view: DataView,
  littleEndian: boolean,
  structAt: number,
): unknown {
  try {
    return field.read(view, position, littleEndian);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    throw new DiskError(error.code, `${name}: ${error.reason}`, {
      offset: structAt + position,
      hint: error.hint,
      cause: error,
    });
  }
}
