import { DiskError, quote, roundUp } from '@diskstack/core';
import { formatOf, requireAbility } from '../abilities.ts';
import { parseSize } from '../byte-size.ts';
import type { OpenFlags } from '../open-options.ts';
import { withSession } from '../session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { print } from '../terminal/stdout.ts';

export interface ResizeFlags extends OpenFlags {
  readonly shrink?: boolean;
  readonly quiet?: boolean;
}

const SECTOR = 512;

/** `diskstack resize IMAGE [+|-]SIZE`; what looks like an option that is not known is among the operands too. */
export async function resize(operands: readonly string[], flags: ResizeFlags): Promise<void> {
  const unknown = operands.find((operand) => /^-[^0-9]/.test(operand));
  if (unknown !== undefined) throw new DiskError('ERR_ARGUMENT', `unknown option ${quote(unknown)}`);
  const [image = '', sizeText = '', ...more] = operands;
  if (more.length > 0)
    throw new DiskError('ERR_ARGUMENT', `resize takes an image and a size, not ${operands.length} operands`);
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/s.exec(sizeText) ?? [];
  const bytes = parseSize(digits, 'SIZE');
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const disk = await session.open(image, { mountMode: 'rw', signal });
      const able = requireAbility(disk, 'resize', 'other size than they have');
      const wanted = sign === '' ? bytes : disk.size() + (sign === '+' ? bytes : -bytes);
      if (wanted < 0)
        throw new DiskError('ERR_ARGUMENT', `a size of ${wanted} bytes: the disk has ${disk.size()}`);
      const size = formatOf(disk) === 'raw' ? wanted : roundUp(wanted, SECTOR);
      if (size < disk.size() && flags.shrink !== true) {
        throw new DiskError(
          'ERR_ARGUMENT',
          `a size of ${size} bytes is less than ${disk.size()}: what is past it would be lost; --shrink allows it`,
        );
      }
      await able.resize(size, { shrink: flags.shrink, signal });
      await session.close(disk);
      if (!flags.quiet) await print('Image resized.\n');
    }),
  );
}
