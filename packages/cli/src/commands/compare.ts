import { compareDisks, type DiskModule } from '@diskstack/core';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { forceShareOption, type OpenFlags, pvOption, snapshotOption } from '../options/open-options.ts';
import { withQemuCompat } from '../options/qemu-compat.ts';
import { type OutputFlags, outputOption, progressOption } from '../options/report-options.ts';
import { type MapEntry, mapEntries } from '../report/map-entries.ts';
import { withSession } from '../session/session.ts';
import { progressLine } from '../terminal/progress.ts';
import { print, printJson } from '../terminal/stdout.ts';

interface CompareFlags extends OpenFlags, OutputFlags {
  readonly secondFormat?: string;
  readonly progress?: boolean;
  readonly quiet?: boolean;
  readonly strict?: boolean;
}

export const command = defineCommand<CompareFlags>({
  name: 'compare',
  operands: '<first> <second>',
  summary: 'compare the content of two disks',
  options: [
    new Option('-f, --format <format>', 'format of the first image. Default: probed'),
    new Option('-F, --second-format <format>', 'format of the second image. Default: probed'),
    progressOption(),
    new Option('-q, --quiet', 'print nothing; the exit status is the answer'),
    new Option('-s, --strict', 'differences in size or allocation count as well'),
    forceShareOption(),
    ...withQemuCompat('-T, --source-cache <mode>'),
    snapshotOption(),
    pvOption(),
    outputOption(),
  ],
  notes: '--snapshot applies to the first image. Exit status: 0 identical, 1 different, 2 for any error.',
  qemuNames: { '--a-format': '-f', '--b-format': '-F', '--cache': '-T' },
  failureStatus: 2,
  run: compare,
});

/** `diskstack compare FIRST SECOND` */
async function compare(flags: CompareFlags, first: string, second: string): Promise<void> {
  await withSession(flags, async (session) => {
    const a = await session.open(first);
    const b = await session.open(second, { format: flags.secondFormat, snapshot: undefined });
    const sizesDiffer = a.size() !== b.size();
    const { strict = false } = flags;
    const progress = progressLine(flags.progress ?? false, { onStderr: flags.output === 'json' });
    const result = await compareDisks(a, b, { onProgress: progress.onProgress }).finally(() =>
      progress.clear(),
    );
    const status = strict && !sizesDiffer ? await firstOtherStatus(a, b) : undefined;
    const offset = result.identical ? undefined : result.offset;
    const isOtherStatus = status !== undefined && status <= (offset ?? status);
    if (!result.identical || isOtherStatus || (strict && sizesDiffer)) process.exitCode = 1;
    if (flags.quiet) return;
    if (flags.output === 'json')
      return printJson({ ...result, ...(isOtherStatus ? { 'other-status-offset': status } : {}) });
    if (strict && sizesDiffer) return print('Strict mode: Image size mismatch!\n');
    if (isOtherStatus) return print(`Strict mode: Offset ${status} block status mismatch!\n`);
    // The part past the end of the shorter disk is compared last, after the warning.
    const common = Math.min(a.size(), b.size());
    if (sizesDiffer && (offset ?? common) >= common) await print('Warning: Image size mismatch!\n');
    if (offset !== undefined) return print(`Content mismatch at offset ${offset}!\n`);
    return print('Images are identical.\n');
  });
}

/** The first offset at which the maps of the disks differ: in data, zero, allocated, or in having a place. */
async function firstOtherStatus(a: DiskModule, b: DiskModule): Promise<number | undefined> {
  const others = mapEntries(b, 0, undefined)[Symbol.asyncIterator]();
  let other = await others.next();
  try {
    for await (const entry of mapEntries(a, 0, undefined)) {
      const end = entry.start + entry.length;
      for (let at = entry.start; at < end; ) {
        if (other.done === true || statusOf(entry) !== statusOf(other.value)) return at;
        at = Math.min(end, other.value.start + other.value.length);
        if (at === other.value.start + other.value.length) other = await others.next();
      }
    }
    return undefined;
  } finally {
    await others.return(undefined);
  }
}

function statusOf({ data, zero, present, offset }: MapEntry): string {
  return [data, zero, present, offset !== undefined].join();
}
