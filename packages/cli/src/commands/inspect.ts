import { DiskError, quote } from '@diskstack/core';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { inspectImage } from '../inspect/inspect-image.ts';
import type { InspectReport } from '../inspect/verdict.ts';
import { BYTES } from '../options/number-notes.ts';
import { forceShareOption, type OpenFlags } from '../options/open-options.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { withSession } from '../session/session.ts';
import { escapeUnsafe, shown } from '../terminal/safe-text.ts';
import { print, printJson } from '../terminal/stdout.ts';
import { parseBytes } from '../values/byte-size.ts';

/** What clouds offer at most for one disk. */
const LARGEST_VOLUME = '64T';

interface InspectFlags extends OpenFlags, OutputFlags {
  readonly maxVirtualSize: string;
  readonly maxRatio?: string;
}

export const command = defineCommand<InspectFlags>({
  name: 'inspect',
  operands: '<image>',
  summary: 'check whether an image from outside is safe to use; opens no other file',
  options: [
    new Option('-f, --format <format>', 'declared format of the image; any other format is a violation'),
    new Option('--max-virtual-size <size>', 'largest virtual size that is not a violation').default(
      LARGEST_VOLUME,
    ),
    new Option(
      '--max-ratio <ratio>',
      'most guest bytes for each byte of the file. Default: no limit, but 1000 for compressed data',
    ),
    forceShareOption(),
    outputOption(),
  ],
  notes: `${BYTES}\nExit status: 0 if all checks pass, 2 if one is violated, 1 for any error.`,
  run: inspect,
});

/** `diskstack inspect IMAGE` */
async function inspect(flags: InspectFlags, image: string): Promise<void> {
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
