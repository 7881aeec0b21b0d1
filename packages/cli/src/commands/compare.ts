import { compareDisks, type DiskModule } from '@diskstack/core';
import type { OpenFlags, OutputFlags } from '../options/open-options.ts';
import { type MapEntry, mapEntries } from '../report/map-entries.ts';
import { withSession } from '../session/session.ts';
import { progressLine } from '../terminal/progress.ts';
import { print, printJson } from '../terminal/stdout.ts';

export interface CompareFlags extends OpenFlags, OutputFlags {
  readonly secondFormat?: string;
  readonly progress?: boolean;
  readonly quiet?: boolean;
  readonly strict?: boolean;
}

/** `diskstack compare FIRST SECOND` */
export async function compare(first: string, second: string, flags: CompareFlags): Promise<void> {
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
    // What one disk has past the end of the other is looked at last, after the warning.
    const common = Math.min(a.size(), b.size());
    if (sizesDiffer && (offset ?? common) >= common) await print('Warning: Image size mismatch!\n');
    if (offset !== undefined) return print(`Content mismatch at offset ${offset}!\n`);
    return print('Images are identical.\n');
  });
}

/** The first offset at which the disks differ in what they say of their bytes: data, zero, allocated, in a place. */
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
