import { can, type DiskModule } from '@diskstack/core';
import { type DiskFormat, MappedDisk, type Mapping } from '@diskstack/core/format';
import { rawCreation } from './creation.ts';

/** The identity mapping: guest offset N is host offset N. */
const load = async (downstream: DiskModule): Promise<Mapping> => ({
  get size() {
    return downstream.size();
  },
  get info() {
    return { format: 'raw', virtualSize: downstream.size() };
  },
  transparent: true,
  translate(offset, length, extents) {
    extents.data(length, offset);
    return undefined;
  },
  writer: {
    unit: 1,
    inPlace: (offset, length) => ({ length, parts: [{ offset, length, at: offset, before: 0, after: 0 }] }),
    place: async (offset, length) => ({
      length,
      parts: [{ offset, length, at: offset, before: 0, after: 0 }],
    }),
    ...(can(downstream, 'discard')
      ? { discard: (offset, length, io) => downstream.discard(offset, length, io) }
      : {}),
    ...(can(downstream, 'resize') ? { resize: (size, io) => downstream.resize(size, io) } : {}),
  },
});

/**
 * The format of raw images and devices. It is the only fallback: probing chooses it if no other format matches. It is also
 * the smallest example of a format.
 */
export const raw: DiskFormat = {
  name: 'raw',
  title: 'raw bytes',
  probe: () => 'fallback',
  open: (downstream, context) =>
    new MappedDisk({ type: 'RAW', format: 'raw', downstream, ...context, load: () => load(downstream) }),
  create: rawCreation,
};
