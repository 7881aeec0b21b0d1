import { can, DiskError } from '@diskstack/core';
import type { OpenFlags, OutputFlags } from '../open-options.ts';
import { checkJson, checkText } from '../report/check-report.ts';
import { withSession } from '../session.ts';
import { print, printJson } from '../terminal/stdout.ts';

/** `diskstack check IMAGE` */
export async function check(image: string, flags: OpenFlags & OutputFlags): Promise<void> {
  await withSession(flags, async (session) => {
    const disk = await session.open(image, { metadataOnly: true });
    const format = can(disk, 'info') ? disk.info().format : 'raw';
    if (!can(disk, 'check'))
      throw new DiskError('ERR_UNSUPPORTED', `${format} images have no metadata that could be checked`);
    const report = await disk.check();
    await (flags.output === 'json' ? printJson(checkJson(report, image, format)) : print(checkText(report)));
    if (report.errors > 0)
      throw new DiskError('ERR_CORRUPT', `${report.errors} structures could not be checked`, {
        layer: image,
      });
    if (report.corruptions > 0) process.exitCode = 2;
    else if (report.leaks > 0) process.exitCode = 3;
  });
}
