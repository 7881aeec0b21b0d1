import { DiskError, quote } from '@diskstack/core';
import { roundUp, SECTOR } from '@diskstack/core/format';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { parsePreallocation } from '../image-options/file-options.ts';
import { allocate } from '../new-image/allocate.ts';
import { SIZES } from '../options/number-notes.ts';
import { formatOption, type OpenFlags } from '../options/open-options.ts';
import { formatOf, requireAbility } from '../session/abilities.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { print } from '../terminal/stdout.ts';
import { parseSize } from '../values/byte-size.ts';

interface ResizeFlags extends OpenFlags {
  readonly shrink?: boolean;
  readonly quiet?: boolean;
  readonly preallocation?: string;
}

export const command = defineCommand<ResizeFlags>({
  name: 'resize',
  operands: '<image> <size>',
  summary: 'change the size of a disk: SIZE, +SIZE or -SIZE',
  options: [
    new Option('--shrink', 'allow a smaller size; data past it is lost'),
    new Option(
      '--preallocation <mode>',
      'preallocation of the new part: off, metadata, falloc or full',
    ).default('off'),
    new Option('-q, --quiet', 'print nothing'),
    formatOption(),
  ],
  notes: SIZES,
  // -SIZE looks like an option. `resize` judges all operands itself, with errors that say more.
  configure: (command) => command.allowUnknownOption().allowExcessArguments(),
  run: resize,
});

/** `diskstack resize IMAGE [+|-]SIZE`. Unknown options are among the operands, too. */
async function resize(flags: ResizeFlags, ...operands: string[]): Promise<void> {
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
      const able = requireAbility(disk, 'resize', 'way to be resized');
      const format = session.disks.registry.named(formatOf(disk));
      const preallocation = parsePreallocation(format, flags.preallocation ?? 'off');
      const old = disk.size();
      const wanted = sign === '' ? bytes : old + (sign === '+' ? bytes : -bytes);
      if (!Number.isSafeInteger(wanted))
        throw new DiskError(
          'ERR_ARGUMENT',
          `a size of ${BigInt(old) + BigInt(bytes)} bytes is more than ${Number.MAX_SAFE_INTEGER}, the most that a disk can have here`,
        );
      if (wanted < 0)
        throw new DiskError('ERR_ARGUMENT', `a size of ${wanted} bytes: the disk has ${disk.size()}`);
      const size = format.create?.plain ? wanted : roundUp(wanted, SECTOR);
      if (size < disk.size() && flags.shrink !== true) {
        throw new DiskError(
          'ERR_ARGUMENT',
          `a size of ${size} bytes is less than ${disk.size()}: what is past it would be lost; --shrink allows it`,
        );
      }
      if (preallocation !== 'off' && size <= old)
        throw new DiskError(
          'ERR_ARGUMENT',
          `preallocation is for a disk that grows: ${size} bytes are not more than ${old}`,
        );
      await able.resize(size, { shrink: flags.shrink, signal });
      if (preallocation !== 'off') {
        try {
          // Zeroes of an image that has tables are not space of its file: only written bytes are.
          const isFast = preallocation === 'falloc' && format.create?.plain === true;
          await allocate(disk, old, size, isFast ? 'falloc' : 'full', signal);
        } catch (error) {
          // The image has the old size again. A full disk takes no more of what is in memory: it is opened anew.
          await session.close(disk).catch(() => {});
          const again = await session.open(image, { mountMode: 'rw' });
          await requireAbility(again, 'resize', 'other size than they have').resize(old, { shrink: true });
          await session.close(again);
          throw error;
        }
      }
      await session.close(disk);
      if (!flags.quiet) await print('Image resized.\n');
    }),
  );
}
