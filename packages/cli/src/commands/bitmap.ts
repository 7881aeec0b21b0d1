import { DiskError } from '@diskstack/core';
import { requireAbility } from '../abilities.ts';
import { parseSize } from '../byte-size.ts';
import type { OpenFlags } from '../open-options.ts';
import { withSession } from '../session.ts';
import { interruptible } from '../terminal/interrupt.ts';

export type BitmapAction = 'add' | 'remove' | 'clear' | 'enable' | 'disable';

export interface BitmapFlags extends OpenFlags {
  readonly granularity?: string;
}

/** `diskstack bitmap --add|--remove|--clear|--enable|--disable IMAGE NAME`: all that are given, in their order. */
export async function bitmap(
  image: string,
  name: string,
  actions: readonly BitmapAction[],
  flags: BitmapFlags,
): Promise<void> {
  const granularity =
    flags.granularity === undefined ? undefined : parseSize(flags.granularity, '--granularity');
  if (actions.length === 0)
    throw new DiskError(
      'ERR_ARGUMENT',
      'nothing to do: --add, --remove, --clear, --enable or --disable says what',
    );
  if (granularity !== undefined && !actions.includes('add'))
    throw new DiskError('ERR_ARGUMENT', '--granularity goes with --add');
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const disk = await session.open(image, { metadataOnly: true, mountMode: 'rw', signal });
      const { bitmapStore } = requireAbility(disk, 'bitmapStore', 'bitmaps');
      for (const action of actions) {
        if (action === 'add') await bitmapStore.add({ name, granularity }, { signal });
        else if (action === 'remove') await bitmapStore.remove(name, { signal });
        else if (action === 'clear') await bitmapStore.clear(name, { signal });
        else await bitmapStore.setAuto(name, action === 'enable', { signal });
      }
      await session.close(disk);
    }),
  );
}
