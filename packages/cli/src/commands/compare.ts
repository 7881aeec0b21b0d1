import { compareDisks } from '@diskstack/core';
import type { OpenFlags, OutputFlags } from '../open-options.ts';
import { withSession } from '../session.ts';
import { progressLine } from '../terminal/progress.ts';
import { print, printJson } from '../terminal/stdout.ts';

/** `diskstack compare FIRST SECOND` */
export async function compare(
  first: string,
  second: string,
  flags: OpenFlags & OutputFlags & { readonly secondFormat?: string; readonly progress?: boolean },
): Promise<void> {
  await withSession(flags, async (session) => {
    const a = await session.open(first);
    const b = await session.open(second, { format: flags.secondFormat, snapshot: undefined });
    const progress = progressLine(flags.progress ?? false);
    const result = await compareDisks(a, b, { onProgress: progress.onProgress }).finally(() =>
      progress.clear(),
    );
    if (!result.identical) process.exitCode = 1;
    if (flags.output === 'json') return printJson(result);
    if (!result.identical) return print(`Content mismatch at offset ${result.offset}!\n`);
    if (result.sizesDiffer) await print('Warning: Image size mismatch!\n');
    return print('Images are identical.\n');
  });
}
