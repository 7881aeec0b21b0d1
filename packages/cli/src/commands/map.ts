import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { BYTES } from '../options/number-notes.ts';
import {
  forceShareOption,
  formatOption,
  type OpenFlags,
  pvOption,
  snapshotOption,
} from '../options/open-options.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { type MapEntry, mapEntries } from '../report/map-entries.ts';
import { chainOf, locationOf, withSession } from '../session/session.ts';
import { shown, toSafeJson } from '../terminal/safe-text.ts';
import { printAll } from '../terminal/stdout.ts';
import { parseBytes } from '../values/byte-size.ts';

interface MapFlags extends OpenFlags, OutputFlags {
  readonly startOffset?: string;
  readonly maxLength?: string;
}

export const command = defineCommand<MapFlags>({
  name: 'map',
  operands: '<image>',
  summary: 'list where the bytes of a disk are stored',
  options: [
    new Option('-s, --start-offset <offset>', 'guest offset to start at'),
    new Option('-l, --max-length <length>', 'list at most this many bytes'),
    forceShareOption(),
    formatOption(),
    snapshotOption(),
    pvOption(),
    outputOption(),
  ],
  notes: BYTES,
  run: map,
});

/** `diskstack map IMAGE` */
async function map(flags: MapFlags, image: string): Promise<void> {
  const start = parseBytes(flags.startOffset ?? '0', '--start-offset');
  const most = flags.maxLength === undefined ? undefined : parseBytes(flags.maxLength, '--max-length');
  await withSession(flags, async (session) => {
    const disk = await session.open(image);
    const entries = mapEntries(disk, start, most);
    if (flags.output === 'json') return printAll(jsonLines(entries));
    const files = chainOf(disk).map((layer) => shown(locationOf(layer) ?? ''));
    return printAll(tableRows(entries, files));
  });
}

/** Line by line, as in qemu-img: a map can be long. */
async function* jsonLines(entries: AsyncIterable<MapEntry>): AsyncGenerator<string> {
  let before = '[';
  for await (const { start, length, depth, present, zero, data, offset, file } of entries) {
    const name = file === undefined ? '' : `, "file": ${toSafeJson(file)}`;
    const place = offset === undefined ? '' : `, "offset": ${offset}${name}`;
    yield `${before}{ "start": ${start}, "length": ${length}, "depth": ${depth}, "present": ${present}, "zero": ${zero}, "data": ${data}${place}}`;
    before = ',\n';
  }
  yield ']\n';
}

/** The runs of data, and the file of each. */
async function* tableRows(
  entries: AsyncIterable<MapEntry>,
  files: readonly string[],
): AsyncGenerator<string> {
  yield row('Offset', 'Length', 'Mapped to', 'File');
  for await (const { start, length, depth, data, offset, file, isCompressed } of entries) {
    if (!data) continue;
    // Data that is encrypted, or computed from parity, has no place of its own.
    const form = isCompressed ? 'compressed' : 'encoded';
    const place = offset === undefined ? form : hexadecimal(offset);
    const name = file === undefined ? (files[depth] ?? '') : shown(file);
    yield row(hexadecimal(start), hexadecimal(length), place, name);
  }
}

function row(...cells: readonly [string, string, string, string]): string {
  const [start, length, place, file] = cells;
  return `${start.padEnd(16)}${length.padEnd(16)}${place.padEnd(16)}${file}\n`;
}

/** Like `%#x` of C, which prints 0 without a prefix. */
function hexadecimal(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`;
}
