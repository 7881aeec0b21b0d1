import { DiskError } from '@diskstack/core';
import { measureQcow, type QcowMeasure } from '@diskstack/qcow';
import { parseCreationOptions } from '../image-options/creation-options.ts';
import type { OpenFlags, OutputFlags } from '../options/open-options.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { print, printJson } from '../terminal/stdout.ts';
import { parseSize } from '../values/byte-size.ts';

export interface MeasureFlags extends OpenFlags, OutputFlags {
  readonly outputFormat: string;
  readonly option?: readonly string[];
  readonly size?: string;
}

/** `diskstack measure IMAGE`, `diskstack measure --size N` */
export async function measure(image: string | undefined, flags: MeasureFlags): Promise<void> {
  const options = parseCreationOptions(flags.outputFormat, flags.option);
  if ((image === undefined) === (flags.size === undefined))
    throw new DiskError('ERR_ARGUMENT', 'either an image or --size is to be measured');
  if (options.format === 'qcow')
    throw new DiskError('ERR_UNSUPPORTED', 'the size of qcow images cannot be measured');
  const measured = await interruptible((signal) =>
    withSession(flags, async (session) => {
      const source = image === undefined ? undefined : await session.open(image, { signal });
      const size = source?.size() ?? parseSize(flags.size ?? '', '--size');
      if (options.format === 'raw') return rawMeasure(size);
      const { qcow, encryption, backingFile } = options;
      return measureQcow(
        { ...qcow, size, source, hasBacking: backingFile !== undefined, encryption },
        { signal },
      );
    }),
  );
  await (flags.output === 'json' ? printJson(jsonOf(measured)) : print(textOf(measured)));
}

/** A raw file is sparse: qemu-img counts all of it all the same. */
function rawMeasure(size: number): QcowMeasure {
  return { required: size, fullyAllocated: size };
}

/** The keys of `qemu-img measure --output json`. */
function jsonOf({ required, fullyAllocated, bitmaps }: QcowMeasure) {
  return { ...(bitmaps === undefined ? {} : { bitmaps }), required, 'fully-allocated': fullyAllocated };
}

function textOf({ required, fullyAllocated, bitmaps }: QcowMeasure): string {
  const lines = [`required size: ${required}`, `fully allocated size: ${fullyAllocated}`];
  if (bitmaps !== undefined) lines.push(`bitmaps size: ${bitmaps}`);
  return `${lines.join('\n')}\n`;
}
