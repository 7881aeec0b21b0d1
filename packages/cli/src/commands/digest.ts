import { digestDisk } from '@diskstack/core/node';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import {
  forceShareOption,
  formatOption,
  type OpenFlags,
  pvOption,
  snapshotOption,
} from '../options/open-options.ts';
import { type OutputFlags, outputOption, progressOption } from '../options/report-options.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { progressLine } from '../terminal/progress.ts';
import { shown } from '../terminal/safe-text.ts';
import { print, printJson } from '../terminal/stdout.ts';

interface DigestFlags extends OpenFlags, OutputFlags {
  readonly algorithm: string;
  readonly progress?: boolean;
}

export const command = defineCommand<DigestFlags>({
  name: 'digest',
  operands: '<image>',
  summary: 'print a digest of the content, equal to that of sha256sum for the raw disk',
  options: [
    new Option('-a, --algorithm <name>', 'hash algorithm: sha256, sha512, sha1, md5 …').default('sha256'),
    progressOption(),
    forceShareOption(),
    formatOption(),
    snapshotOption(),
    pvOption(),
    outputOption(),
  ],
  run: digest,
});

/** `diskstack digest IMAGE` */
async function digest(flags: DigestFlags, image: string): Promise<void> {
  const { algorithm } = flags;
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const disk = await session.open(image, { signal });
      const progress = progressLine(flags.progress ?? false, { onStderr: true });
      const hex = await digestDisk(disk, algorithm, { signal, onProgress: progress.onProgress }).finally(() =>
        progress.clear(),
      );
      if (flags.output === 'json')
        return printJson({ filename: image, 'virtual-size': disk.size(), algorithm, digest: hex });
      return print(`${hex}  ${shown(image)}\n`);
    }),
  );
}
