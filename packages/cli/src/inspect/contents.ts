import { can, type DiskModule, type LayerInfo, quote } from '@diskstack/core';
import type { DiskFormat } from '@diskstack/core/format';
import { hasUnsafe } from '../terminal/safe-text.ts';
import { type InspectCheck, passed, unknown, violated } from './verdict.ts';

/** Checks that the image names no other file, hides nothing and is in order. */
export function contentChecks(
  disk: DiskModule,
  info: LayerInfo,
  { accepts }: DiskFormat,
): readonly InspectCheck[] {
  return [
    backingFile(info),
    dataFile(info),
    info.encrypted
      ? violated('encryption', 'the image is encrypted; what is in it cannot be seen without its key')
      : passed('encryption', 'the image is not encrypted'),
    snapshots(info, accepts?.includes('snapshot') ?? false),
    clean(info),
    names(disk, info),
  ];
}

/** The names of these checks, for images that cannot be checked. */
export const CONTENT_CHECKS = [
  'backing-file',
  'data-file',
  'encryption',
  'snapshots',
  'clean',
  'names',
] as const;

function backingFile({ backing }: LayerInfo): InspectCheck {
  if (backing === undefined) return passed('backing-file', 'the image names no backing file');
  const format = backing.format === undefined ? 'no format' : `the format ${quote(backing.format)}`;
  return violated('backing-file', `the image names the backing file ${quote(backing.name)}, with ${format}`);
}

function dataFile({ dataFile: name }: LayerInfo): InspectCheck {
  if (name === undefined) return passed('data-file', 'the image names no data file');
  return violated('data-file', `the image names the data file ${quote(name)}`);
}

function snapshots({ snapshots: found }: LayerInfo, expected: boolean): InspectCheck {
  if (found === undefined && expected) return unknown('snapshots', 'the snapshots cannot be read');
  if (!found?.length) return passed('snapshots', 'the image has no internal snapshots');
  const [first] = found;
  return violated(
    'snapshots',
    `${found.length} internal snapshots, the first is ${quote(first?.name ?? '')}`,
  );
}

/** A dirty bit, a corrupt bit, or tables that cannot be read. */
function clean({ dirty, warnings = [] }: LayerInfo): InspectCheck {
  if (warnings.length > 0) return violated('clean', warnings.join('; '));
  if (dirty) return violated('clean', 'the image was not closed cleanly');
  return passed('clean', 'the image is marked neither dirty nor corrupt');
}

function names(
  disk: DiskModule,
  { backing, dataFile: data, snapshots: found = [] }: LayerInfo,
): InspectCheck {
  const all = [
    backing?.name,
    backing?.format,
    data,
    ...found.flatMap(({ id, name }) => [id, name]),
    ...(can(disk, 'bitmaps') ? disk.bitmaps().map(({ name }) => name) : []),
  ].filter((name) => name !== undefined);
  const unsafe = all.filter(hasUnsafe);
  if (unsafe.length === 0) return passed('names', 'no name has control characters');
  return violated('names', `control characters, or what is not UTF-8, in ${unsafe.map(quote).join(', ')}`);
}
