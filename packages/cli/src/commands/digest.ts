import { digestDisk } from '@diskstack/core/node';
import type { OpenFlags, OutputFlags } from '../options/open-options.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { progressLine } from '../terminal/progress.ts';
import { shown } from '../terminal/safe-text.ts';
import { print, printJson } from '../terminal/stdout.ts';

/** `diskstack digest IMAGE` */
export async function digest(
  image: string,
  flags: OpenFlags & OutputFlags & { readonly algorithm: string; readonly progress?: boolean },
): Promise<void> {
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
