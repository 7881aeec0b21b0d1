import { DiskError, type ImageMeasure } from '@diskstack/core';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { parseCreationOptions } from '../image-options/creation-options.ts';
import { creationOption, outputFormatOption } from '../options/creation-option.ts';
import { SIZES } from '../options/number-notes.ts';
import {
  forceShareOption,
  formatOption,
  type OpenFlags,
  pvOption,
  qemuSnapshotOption,
} from '../options/open-options.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { print, printJson } from '../terminal/stdout.ts';
import { parseSize } from '../values/byte-size.ts';

interface MeasureFlags extends OpenFlags, OutputFlags {
  readonly outputFormat: string;
  readonly option?: readonly string[];
  readonly size?: string;
}

export const command = defineCommand<MeasureFlags>({
  name: 'measure',
  operands: '[image]',
  summary: 'compute the size of the file of a new image',
  options: [
    outputFormatOption('new image'),
    creationOption(),
    new Option('--size <size>', 'measure an empty image of this virtual size, instead of an image'),
    qemuSnapshotOption(),
    forceShareOption(),
    formatOption(),
    pvOption(),
    outputOption(),
  ],
  notes: SIZES,
  qemuNames: {
    '-s': '--size',
    '--options': '-o',
    '--source-format': '-f',
    '--source-image-opts': '--image-opts',
    '--target-format': '-O',
    '--target-format-options': '-o',
  },
  run: measure,
});

/** `diskstack measure IMAGE`, `diskstack measure --size N` */
async function measure(flags: MeasureFlags, image: string | undefined): Promise<void> {
  if ((image === undefined) === (flags.size === undefined))
    throw new DiskError('ERR_ARGUMENT', 'measure takes either an image or --size');
  const measured = await interruptible((signal) =>
    withSession(flags, async (session) => {
      const parsed = parseCreationOptions(session.disks, flags.outputFormat, flags.option);
      const { format, creation, values: options, backingFile } = parsed;
      if (creation.measure === undefined)
        throw new DiskError('ERR_UNSUPPORTED', `the size of ${format} images cannot be measured`);
      const source = image === undefined ? undefined : await session.open(image, { signal });
      const size = source?.size() ?? parseSize(flags.size ?? '', '--size');
      return creation.measure({ size, options, source, hasBacking: backingFile !== undefined }, { signal });
    }),
  );
  await (flags.output === 'json' ? printJson(jsonOf(measured)) : print(textOf(measured)));
}

/** The keys of `qemu-img measure --output json`. */
function jsonOf({ required, fullyAllocated, bitmaps }: ImageMeasure) {
  return { ...(bitmaps === undefined ? {} : { bitmaps }), required, 'fully-allocated': fullyAllocated };
}

function textOf({ required, fullyAllocated, bitmaps }: ImageMeasure): string {
  const lines = [`required size: ${required}`, `fully allocated size: ${fullyAllocated}`];
  if (bitmaps !== undefined) lines.push(`bitmaps size: ${bitmaps}`);
  return `${lines.join('\n')}\n`;
}
