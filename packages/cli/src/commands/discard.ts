import { defineCommand } from '../command-line/define-command.ts';
import { BYTES } from '../options/number-notes.ts';
import { formatOption, type OpenFlags } from '../options/open-options.ts';
import { requireAbility } from '../session/abilities.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { parseBytes } from '../values/byte-size.ts';

export const command = defineCommand<OpenFlags>({
  name: 'discard',
  operands: '<image> <offset> <length>',
  summary: 'free clusters of a disk; they then read as zeroes',
  options: [formatOption()],
  notes: BYTES,
  run: discard,
});

/** `diskstack discard IMAGE OFFSET LENGTH` */
async function discard(
  flags: OpenFlags,
  image: string,
  offsetText: string,
  lengthText: string,
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
