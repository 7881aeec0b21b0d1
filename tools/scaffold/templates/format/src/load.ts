import type { Load } from '@diskstack/core/format';
import { HEADER } from './layout/header.ts';

/** Reads and validates the metadata; translates guest ranges to extents. */
export const load: Load = async (downstream, _context, io) => {
  const { size } = HEADER.decode(await downstream.read(0, HEADER.size, io));
  return {
    size,
    info: { format: 'the-name', virtualSize: size },
    translate(_offset, length, extents) {
      extents.zero(length); // extents.data(length, at) · extents.base(length) · extents.compressed(…)
      return undefined;
    },
  };
};
