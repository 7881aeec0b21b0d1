import { DiskError, type OptionSchema } from '@diskstack/core';
import { checkOptions, type DiskFormat, type ImageCreation } from '@diskstack/core/format';

// Options of the file that holds an image, whatever its format. The names and the help are qemu-img's.

const NOCOW = { nocow: { type: 'flag', help: 'Turn off copy-on-write (valid only on btrfs)' } } as const;
const EXTENT_SIZE_HINT = {
  extent_size_hint: { type: 'size', help: 'Extent size hint for the image file, 0 to disable' },
} as const;
const PREALLOCATION = {
  preallocation: {
    type: 'text',
    help: 'Preallocation mode (allowed values: off, falloc, full)',
    choices: ['off', 'falloc', 'full'],
  },
} as const;

/** The options of the file. A plain image is its file, so the space of the file is the image's. */
export function fileOptionsOf({ plain }: ImageCreation): OptionSchema {
  return { ...NOCOW, ...(plain ? PREALLOCATION : {}), ...EXTENT_SIZE_HINT };
}

/** How the new part of an image gets its space: the mode, held against the modes that new images of the format have. */
export function parsePreallocation({ name, create }: DiskFormat, mode: string): string {
  const { preallocation } = { ...PREALLOCATION, ...create?.options };
  const { preallocation: checked } = checkOptions(name, { preallocation }, { preallocation: mode });
  return textOf(checked) ?? 'off';
}

/** What an option says that is a text. The schema has been held against it. */
export function textOf(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new DiskError('ERR_INTERNAL', `an option of type text has a ${typeof value}`);
}
