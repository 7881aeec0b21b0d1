import { DiskError, quote } from '@diskstack/core';
import { hasOption, roundUp, SECTOR } from '@diskstack/core/format';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { type CreationOptions, parseCreationOptions } from '../image-options/creation-options.ts';
import { refuseScheme } from '../image-spec/operands.ts';
import { beginImage } from '../new-image/new-image.ts';
import { filesOf } from '../new-image/same-file.ts';
import { creationOption } from '../options/creation-option.ts';
import { SIZES } from '../options/number-notes.ts';
import type { OpenFlags } from '../options/open-options.ts';
import { formattingLine } from '../report/formatting-line.ts';
import { backingLocation, chainOf, type Session, withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { note } from '../terminal/stdout.ts';
import { parseSize } from '../values/byte-size.ts';

interface CreateFlags extends OpenFlags {
  readonly option?: readonly string[];
  readonly backing?: string;
  readonly backingFormat?: string;
  readonly unsafe?: boolean;
  readonly quiet?: boolean;
}

export const command = defineCommand<CreateFlags>({
  name: 'create',
  operands: '<image> [size]',
  summary: 'make an empty image',
  options: [
    new Option('-f, --format <format>', 'format of the image').default('raw'),
    new Option('-b, --backing <file>', 'backing file; a relative name starts from the folder of the image'),
    new Option('-F, --backing-format <format>', 'format of the backing file'),
    new Option('-u, --unsafe', 'do not open the backing file; SIZE is then required'),
    creationOption(),
    new Option('-q, --quiet', 'print nothing'),
  ],
  notes: `${SIZES} An existing file of that name is replaced when the image is complete.`,
  qemuNames: { '-B': '-F', '--backing-unsafe': '-u', '--options': '-o' },
  run: create,
});

interface Backing {
  readonly name: string;
  readonly format: string | undefined;
}

/** `diskstack create IMAGE [SIZE]` */
async function create(flags: CreateFlags, image: string, size: string | undefined): Promise<void> {
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const options = parseCreationOptions(session.disks, flags.format ?? 'raw', flags.option);
      const backing = backingOf(flags, options);
      const given = givenSize(size, options);
      const found = backing && !flags.unsafe ? await lookAt(session, image, backing, signal) : undefined;
      const bytes = given ?? found?.size;
      if (bytes === undefined) throw new DiskError('ERR_ARGUMENT', 'the image needs a size');
      const named = backing === undefined ? [] : [backingLocation(session, backing.name, image)];
      const made = await beginImage(
        session.disks,
        {
          path: image,
          size: roundUp(bytes, SECTOR), // as qemu-img does
          options,
          backing,
          inputs: [...named, ...(found?.files ?? [])],
          signal,
        },
        flags,
      );
      try {
        if (!flags.quiet) await note(`${formattingLine(image, bytes, options, backing)}\n`);
        await made.commit({ sync: true });
      } catch (error) {
        await made.discard();
        throw error;
      }
    }),
  );
}

function backingOf(flags: CreateFlags, options: CreationOptions): Backing | undefined {
  const name = flags.backing ?? options.backingFile;
  const format = flags.backingFormat ?? options.backingFormat;
  if (name === '')
    throw new DiskError(
      'ERR_ARGUMENT',
      'the name of the backing file is empty; without -b the image has none',
    );
  if (name === undefined) {
    if (format !== undefined)
      throw new DiskError('ERR_ARGUMENT', 'the format of a backing file is given, and no backing file');
    return undefined;
  }
  if (!hasOption(options.creation.options, 'backing-file'))
    throw new DiskError('ERR_ARGUMENT', `${options.format} images have no backing file`);
  refuseScheme(name, 'the backing file', flags.allowScheme);
  return { name, format };
}

function givenSize(text: string | undefined, options: CreationOptions): number | undefined {
  if (text !== undefined && options.size !== undefined)
    throw new DiskError('ERR_ARGUMENT', 'the size of the image is given twice');
  return text === undefined ? options.size : parseSize(text, 'SIZE');
}

/** Opens the backing chain, which must exist. Its size is the default size of the new image. */
async function lookAt(session: Session, image: string, { name, format }: Backing, signal: AbortSignal) {
  const path = backingLocation(session, name, image);
  if (format === undefined) {
    const [match] = await session.disks.probe(path, { signal });
    throw new DiskError(
      'ERR_ARGUMENT',
      `the backing file ${quote(name)} is given without its format, which looks like ${match?.format.name ?? 'raw'}; add -F FORMAT`,
    );
  }
  const disk = await session.open(path, { format, snapshot: undefined, signal });
  return { size: disk.size(), files: chainOf(disk).flatMap(filesOf) };
}
