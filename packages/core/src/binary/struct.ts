import { DiskError } from '../errors/disk-error.ts';
import type { Field } from './fields.ts';

type Fields = { readonly [name: string]: Field<unknown> };
type Decoded<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** A declared on-disk structure: fields in file order, one byte order for all of them. */
export interface Struct<F extends Fields> {
  /** Bytes of the whole structure. */
  readonly size: number;
  /** Byte offset of each field from the start of the structure. */
  readonly at: { readonly [K in keyof F]: number };
  /** `ERR_TRUNCATED` when fewer than `size` bytes are there; errors carry `at` + the offset of the field. */
  decode(bytes: Uint8Array, at?: number): Decoded<F>;
  /** The bytes of the whole structure. `ERR_ARGUMENT`, with the field's name, for a value that does not fit. */
  encode(values: Decoded<F>): Uint8Array<ArrayBuffer>;
}

/** Declares a structure. Spec order, the spec's names in camelCase; types and offsets follow from the fields. */
export function struct<F extends Fields>(byteOrder: 'big' | 'little', fields: F): Struct<F> {
  const offsets: Record<string, number> = {};
  const members: Member[] = []; // found once: headers are decoded for each image of a chain
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
        throw new DiskError('ERR_TRUNCATED', `structure of ${size} bytes, only ${bytes.length} are there`, {
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
  /** Bytes from the start of the structure. */
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
