import { compareDisks } from '@diskstack/core';
import type { OpenFlags, OutputFlags } from '../open-options.ts';
import { withSession } from '../session.ts';
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
    const progress = progressLine(flags.progress ?? false, { onStderr: flags.output === 'json' });
    const result = await compareDisks(a, b, { onProgress: progress.onProgress }).finally(() =>
      progress.clear(),
    );
    const isStrict = flags.strict === true && a.size() !== b.size();
    if (!result.identical || isStrict) process.exitCode = 1;
    if (flags.quiet) return;
    if (flags.output === 'json') return printJson(result);
    if (isStrict) return print('Strict mode: Image size mismatch!\n');
    if (!result.identical) return print(`Content mismatch at offset ${result.offset}!\n`);
    if (result.sizesDiffer) await print('Warning: Image size mismatch!\n');
    return print('Images are identical.\n');
  });
}
