import { DiskError } from '@diskstack/core';
import { type DiskFormat, type Load, MappedDisk, magicAt } from '@diskstack/core/format';
import { amendedHeader, amendment, creation } from './labelled-creation.ts';
import { HEADER, MAGIC, SECTOR } from './labelled-header.ts';

// A writable format: one sector with a label, followed by the bytes of the disk.

const load: Load = async (file, _context, io) => {
  const { size, label } = HEADER.decode(await file.read(0, HEADER.size, io));
  if (size > file.size() - SECTOR)
    throw new DiskError(
      'ERR_TRUNCATED',
      `the disk has ${size} bytes, but the file holds only ${file.size() - SECTOR} of them`,
    );
  const place = (offset: number, length: number) => ({
    length,
    parts: [{ offset, length, at: SECTOR + offset, before: 0, after: 0 }],
  });
  return {
    size,
    get info() {
      const data = { label: new TextDecoder().decode(label).replace(/\0+$/, '') };
      return { format: 'labelled', virtualSize: size, specific: { type: 'labelled', data } };
    },
    translate: (offset, length, extents) => void extents.data(length, SECTOR + offset),
    writer: {
      unit: SECTOR,
      inPlace: place,
      place: async (offset, length) => place(offset, length),
      async amend({ options, dryRun }) {
        const changed = amendedHeader(size, options);
        if (!dryRun) await file.write(0, changed, io);
      },
    },
  };
};

const labelled: DiskFormat = {
  name: 'labelled',
  title: 'a disk with a label',
  probe: magicAt(0, ...MAGIC),
  open: (file, context) =>
    new MappedDisk({
      type: 'LABELLED',
      format: 'labelled',
      downstream: file,
      ...context,
      load: (io) => load(file, context, io),
    }),
  create: creation,
  amend: amendment,
};

export const formats: readonly DiskFormat[] = [labelled];
