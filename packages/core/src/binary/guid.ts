import { DiskError } from '../errors/disk-error.ts';
import type { Field } from './fields.ts';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** The byte at which each pair of digits is stored: the first three groups are little-endian, the others in order. */
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** A GUID in the byte order of Microsoft and UEFI. Its text is in upper case, as GPT tools print it. */
export const guid: Field<string> = {
  bytes: 16,
  read(view, at) {
    const text = ORDER.map((from) =>
      view
        .getUint8(at + from)
        .toString(16)
        .padStart(2, '0'),
    ).join('');
    const groups = [
      text.slice(0, 8),
      text.slice(8, 12),
      text.slice(12, 16),
      text.slice(16, 20),
      text.slice(20),
    ];
    return groups.join('-').toUpperCase();
  },
  write(view, at, value) {
    if (!GUID.test(value)) throw new DiskError('ERR_ARGUMENT', `not a GUID: ${value}`);
    const digits = value.replaceAll('-', '');
    for (const [index, to] of ORDER.entries())
      view.setUint8(at + to, Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16));
  },
};
