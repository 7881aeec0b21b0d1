import { describeStack, drawStack } from '@diskstack/core';
import type { OpenFlags, OutputFlags } from '../options/open-options.ts';
import { reportChain, reportLayer } from '../report/layer-report.ts';
import { layerText } from '../report/layer-text.ts';
import { withSession } from '../session/session.ts';
import { print, printJson } from '../terminal/stdout.ts';

/** `diskstack info IMAGE` */
export async function info(
  image: string,
  flags: OpenFlags & OutputFlags & { readonly backingChain?: boolean },
): Promise<void> {
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
