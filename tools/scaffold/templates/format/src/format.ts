import { type DiskFormat, MappedDisk, magicAt } from '@diskstack/core/format';
import { MAGIC } from './layout/header.ts';
import { load } from './load.ts';

/** One line on what the format is. */
export const theName: DiskFormat = {
  name: 'the-name',
  title: 'the-name disk images',
  probe: magicAt(0, ...MAGIC),
  open: (downstream, context) =>
    new MappedDisk({
      type: 'THE-NAME',
      format: 'the-name',
      downstream,
      ...context,
      load: (io) => load(downstream, context, io),
    }),
};
