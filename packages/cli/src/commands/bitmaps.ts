import {
  type Able,
  type BitmapExtent,
  type BitmapInfo,
  can,
  DiskError,
  type DiskModule,
} from '@diskstack/core';
import { defineCommand } from '../command-line/define-command.ts';
import { forceShareOption, formatOption, type OpenFlags } from '../options/open-options.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { withSession } from '../session/session.ts';
import { shown } from '../terminal/safe-text.ts';
import { say } from '../terminal/stderr.ts';
import { print, printAll, printJson } from '../terminal/stdout.ts';
import { humanBytes } from '../values/byte-size.ts';

export const command = defineCommand<OpenFlags & OutputFlags>({
  name: 'bitmaps',
  operands: '<image> [name]',
  summary: 'list the dirty bitmaps of an image, or the ranges of one',
  options: [forceShareOption(), formatOption(), outputOption()],
  run: bitmaps,
});

/** `diskstack bitmaps IMAGE [NAME]` */
async function bitmaps(
  flags: OpenFlags & OutputFlags,
  image: string,
  name: string | undefined,
): Promise<void> {
  await withSession(flags, async (session) => {
    const disk = withBitmaps(await session.open(image, { metadataOnly: true }));
    const isJson = flags.output === 'json';
    if (name !== undefined) {
      const extents = disk.bitmapExtents(name);
      return printAll(isJson ? jsonLines(extents) : tableRows(extents));
    }
    if (disk.bitmaps().length === 0) checkReadable(disk);
    for (const warning of disk.info().warnings ?? []) say(`warning: ${warning}`);
    return isJson ? printJson(disk.bitmaps()) : print(listOf(disk.bitmaps()));
  });
}

function withBitmaps(disk: DiskModule): Able<'bitmaps' | 'bitmapExtents' | 'info'> {
  if (can(disk, 'bitmaps') && can(disk, 'bitmapExtents') && can(disk, 'info')) return disk;
  const format = can(disk, 'info') ? disk.info().format : 'raw';
  throw new DiskError('ERR_UNSUPPORTED', `${format} images have no bitmaps`);
}

/** An image with unreadable bitmaps opens all the same, and lists none. Here that is an error. */
function checkReadable(disk: Able<'bitmapExtents'>): void {
  try {
    disk.bitmapExtents(''); // no bitmap has that name
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ERR_NOT_FOUND' && error.cause === undefined) return;
    throw error instanceof DiskError && error.cause instanceof DiskError ? error.cause : error;
  }
}

/** One bitmap per line. The name comes last: it can be long, and have spaces. */
function listOf(found: readonly BitmapInfo[]): string {
  if (found.length === 0) return 'The image has no bitmaps.\n';
  const rows = found.map(({ name, granularity, flags, consistent }) =>
    row(humanBytes(granularity), consistent ? 'yes' : 'no', flags.join(',') || '-', shown(name)),
  );
  return [row('Granularity', 'Consistent', 'Flags', 'Name'), ...rows].join('');
}

async function* jsonLines(extents: AsyncIterable<BitmapExtent>): AsyncGenerator<string> {
  let before = '[';
  for await (const { offset, length, dirty } of extents) {
    yield `${before}{ "start": ${offset}, "length": ${length}, "dirty": ${dirty}}`;
    before = ',\n';
  }
  yield before === '[' ? '[]\n' : ']\n';
}

async function* tableRows(extents: AsyncIterable<BitmapExtent>): AsyncGenerator<string> {
  yield row('Offset', 'Length', 'State', '');
  for await (const { offset, length, dirty } of extents)
    yield row(`0x${offset.toString(16)}`, `0x${length.toString(16)}`, dirty ? 'dirty' : 'clean', '');
}

function row(...cells: readonly [string, string, string, string]): string {
  const [first, second, third, last] = cells;
  return `${`${first.padEnd(16)}${second.padEnd(16)}${third.padEnd(16)}${last}`.trimEnd()}\n`;
}
