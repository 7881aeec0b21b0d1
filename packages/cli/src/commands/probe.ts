import { DiskError } from '@diskstack/core';
import { defineCommand } from '../command-line/define-command.ts';
import { forceShareOption, type OpenFlags } from '../options/open-options.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { withSession } from '../session/session.ts';
import { print, printJson } from '../terminal/stdout.ts';

export const command = defineCommand<OpenFlags & OutputFlags>({
  name: 'probe',
  operands: '<image>',
  summary: 'list the formats that recognise an image, the surest first',
  options: [forceShareOption(), outputOption()],
  run: probe,
});

/** `diskstack probe IMAGE` */
async function probe(flags: OpenFlags & OutputFlags, image: string): Promise<void> {
  const { output } = flags;
  const found = await withSession(flags, (session) => session.probe(image));
  const matches = found.map(({ format: { name, title }, rank }) => ({ format: name, rank, title }));
  const [best, second] = matches;
  if (output === 'json') {
    await printJson({ filename: image, ...(best && { format: best.format }), matches });
  } else {
    const width = Math.max(0, ...matches.map(({ format }) => format.length));
    for (const { format, rank, title } of matches)
      await print(`${format.padEnd(width)}  ${rank.padEnd('structure'.length)}  ${title}\n`);
  }
  if (best === undefined) {
    throw new DiskError('ERR_UNKNOWN_FORMAT', 'no registered format recognises the disk', { layer: image });
  }
  if (second?.rank === best.rank) {
    throw new DiskError(
      'ERR_AMBIGUOUS_FORMAT',
      `both ${best.format} and ${second.format} claim the disk by ${best.rank}; say which with --format`,
      { layer: image },
    );
  }
}
