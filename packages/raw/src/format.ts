import { type DiskFormat, type Load, MappedDisk } from '@diskstack/core';

/** Every byte is where it is: the mapping of a disk without a format. */
const load: Load = async (downstream) => {
  const size = downstream.size();
  return {
    size,
    info: { format: 'raw', virtualSize: size },
    transparent: true,
    translate(offset, length, extents) {
      extents.data(length, offset);
      return undefined;
    },
    writer: {
      place(offset, length, extents) {
        extents.data(length, offset);
        return undefined;
      },
    },
  };
};

/** Raw images and devices: the one fallback, and the smallest example of a format. */
export const raw: DiskFormat = {
  name: 'raw',
  title: 'raw bytes',
  probe: () => 'fallback',
  open: (downstream, context) => new MappedDisk({ type: 'RAW', format: 'raw', downstream, context, load }),
};
