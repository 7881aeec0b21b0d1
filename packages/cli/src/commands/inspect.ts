import { DiskError, quote } from '@diskstack/core';
import { inspectImage } from '../inspect/inspect-image.ts';
import type { InspectReport } from '../inspect/verdict.ts';
import type { OpenFlags, OutputFlags } from '../options/open-options.ts';
import { withSession } from '../session/session.ts';
import { escapeUnsafe, shown } from '../terminal/safe-text.ts';
import { print, printJson } from '../terminal/stdout.ts';
import { parseBytes } from '../values/byte-size.ts';

/** `diskstack inspect IMAGE` */
export async function inspect(
  image: string,
  flags: OpenFlags & OutputFlags & { readonly maxVirtualSize: string; readonly maxRatio?: string },
): Promise<void> {
  const limits = {
    maxVirtualSize: parseBytes(flags.maxVirtualSize, '--max-virtual-size'),
    maxRatio: parseRatio(flags.maxRatio),
  };
  await withSession(flags, async (session) => {
    const file = await session.open(image, { format: 'raw', metadataOnly: true });
    const report = await inspectImage(session.disks, file, image, { ...limits, format: flags.format });
    if (report.verdict !== 'pass') process.exitCode = 2;
    return flags.output === 'json' ? printJson(report) : print(textOf(report));
  });
}

function parseRatio(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ratio = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
  if (ratio > 0) return ratio;
  throw new DiskError('ERR_ARGUMENT', `--max-ratio takes a number above 0, not ${quote(text)}`);
}

/** A line for each check. */
function textOf({ filename, format, verdict, checks }: InspectReport): string {
  const width = Math.max(...checks.map(({ check }) => check.length));
  const lines = checks.map(({ check, verdict: answer, detail }) =>
    escapeUnsafe(`${answer.padEnd('violated'.length)}  ${check.padEnd(width)}  ${detail}`),
  );
  return `${[`image: ${shown(filename)}`, `format: ${format ?? 'unclear'}`, ...lines, `verdict: ${verdict}`].join('\n')}\n`;
}
