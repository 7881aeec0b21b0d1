import type { OpenFlags } from '../options/open-options.ts';
import { requireAbility } from '../session/abilities.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { parseBytes } from '../values/byte-size.ts';

/** `diskstack discard IMAGE OFFSET LENGTH` */
export async function discard(
  image: string,
  offsetText: string,
  lengthText: string,
  flags: OpenFlags,
): Promise<void> {
  const offset = parseBytes(offsetText, 'OFFSET');
  const length = parseBytes(lengthText, 'LENGTH');
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const disk = await session.open(image, { mountMode: 'rw', signal });
      await requireAbility(disk, 'discard', 'way to give clusters back').discard(offset, length, { signal });
      await session.close(disk);
    }),
  );
}
