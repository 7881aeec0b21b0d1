import { describeStack, drawStack } from '@diskstack/core';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { forceShareOption, formatOption, type OpenFlags, pvOption } from '../options/open-options.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { reportChain, reportLayer } from '../report/layer-report.ts';
import { layerText } from '../report/layer-text.ts';
import { withSession } from '../session/session.ts';
import { print, printJson } from '../terminal/stdout.ts';

interface InfoFlags extends OpenFlags, OutputFlags {
  readonly backingChain?: boolean;
}

export const command = defineCommand<InfoFlags>({
  name: 'info',
  operands: '<image>',
  summary: 'describe an image from its own metadata; opens no other file',
  options: [
    new Option('--backing-chain', 'open the backing chain, and describe each of its images'),
    forceShareOption(),
    formatOption(),
    pvOption(),
    outputOption(),
  ],
  run: info,
});

/** `diskstack info IMAGE` */
async function info(flags: InfoFlags, image: string): Promise<void> {
  await withSession(flags, async (session) => {
    const disk = await session.open(image, {
      metadataOnly: !flags.backingChain,
      withoutKeys: !image.includes('#') || flags.secrets?.areGiven !== true,
    });
    if (flags.backingChain) {
      const reports = await reportChain(disk, image);
      if (flags.output === 'json') return printJson(reports);
      const picture = drawStack(describeStack(disk)).replace(/^/gm, '    ');
      return print(`${reports.map(layerText).join('\n')}\nstack:\n${picture}\n`);
    }
    const report = await reportLayer(disk, image);
    return flags.output === 'json' ? printJson(report) : print(layerText(report));
  });
}
