import {
  DiskError,
  type Disks,
  type LayerInfo,
  type OptionSchema,
  type OptionValue,
  type OptionValues,
  quote,
} from '@diskstack/core';
import { creationOf, type DiskFormat, type ImageCreation } from '@diskstack/core/format';
import type { Secrets } from '../secrets/secrets.ts';
import { fileOptionsOf, textOf } from './file-options.ts';
import { optionTexts, optionValues } from './option-texts.ts';

/** The format of a new image, and its options: `-O` and `-o`. */
export interface CreationOptions {
  /** Name of the format. */
  readonly format: string;
  readonly creation: ImageCreation;
  /** Guest bytes, where `-o` has them. */
  readonly size: number | undefined;
  readonly backingFile: string | undefined;
  readonly backingFormat: string | undefined;
  /** The options of the format. Values of type `secret` are empty until `withKey` reads them. */
  readonly values: OptionValues;
  /** The options of the file. */
  readonly file: FileOptions;
  /** Every key and value as it was given, for messages. */
  readonly given: ReadonlyMap<string, string>;
}

interface FileOptions {
  readonly nocow: boolean;
  readonly preallocation: string;
  /** Bytes that XFS should allocate together. Checked and ignored: Node cannot set this hint. */
  readonly extentSizeHint: number | undefined;
}

/** The format of this name, with the way to make its images. */
export function creatable(
  { registry }: Disks,
  name: string,
): { format: DiskFormat; creation: ImageCreation } {
  const format = registry.formats.find((known) => known.name === name);
  if (format !== undefined) return { format, creation: creationOf(format, registry) };
  const names = registry.formats.filter(({ create }) => create !== undefined).map((known) => known.name);
  throw new DiskError(
    'ERR_UNSUPPORTED',
    `writing ${quote(name)} images is not supported; possible: ${names.join(', ')}`,
  );
}

/** Every option of a new image: those of the format, then those of its file. */
export function allOptionsOf(creation: ImageCreation): OptionSchema {
  return { ...creation.options, ...fileOptionsOf(creation) };
}

/** Parses all `-o` of a command for a format. `compressed`: the command writes clusters compressed. */
export function parseCreationOptions(
  disks: Disks,
  name: string,
  texts?: readonly string[],
  { compressed = false } = {},
): CreationOptions {
  const { creation } = creatable(disks, name);
  const schema = allOptionsOf(creation);
  const given = optionTexts(texts, schema);
  const values = optionValues(name, schema, given);
  const own: Record<string, OptionValue> = {};
  let size: number | undefined;
  let backingFile: string | undefined;
  let backingFormat: string | undefined;
  for (const [key, value] of Object.entries(values)) {
    const type = creation.options[key]?.type;
    if (type === 'virtual-size') size = value as number;
    else if (type === 'backing-file') backingFile = textOf(value);
    else if (type === 'backing-format') backingFormat = textOf(value);
    else if (type !== undefined && value !== undefined) own[key] = value;
  }
  creation.check?.(own, { compressed });
  const isOfFile = (key: string): boolean => creation.options[key] === undefined;
  return {
    format: name,
    creation,
    size,
    backingFile,
    backingFormat,
    values: own,
    file: {
      nocow: values.nocow === true,
      preallocation: (isOfFile('preallocation') ? textOf(values.preallocation) : undefined) ?? 'off',
      extentSizeHint: values.extent_size_hint as number | undefined,
    },
    given,
  };
}

/** The options of a new image that is like an existing one; `undefined` where its format cannot make one. */
export function likeImage({ registry }: Disks, info: LayerInfo): CreationOptions | undefined {
  const { name, create: creation } = registry.named(info.format);
  const values = creation?.optionsOf?.(info);
  if (creation === undefined || values === undefined) return undefined;
  const file: FileOptions = { nocow: false, preallocation: 'off', extentSizeHint: undefined };
  return { format: name, creation, values, file, given: new Map(), ...NOTHING_NAMED };
}

const NOTHING_NAMED = { size: undefined, backingFile: undefined, backingFormat: undefined } as const;

/**
 * The values, with the key that the image needs: the secret that the option names, or that of `--secret`. `location`: what the
 * image is called.
 */
export async function withKey(
  { creation, values, given }: CreationOptions,
  location: string,
  secrets: Secrets | undefined,
): Promise<OptionValues> {
  const needed = creation.keyOf?.(values);
  if (needed === undefined) return values;
  const id = given.get(needed.option);
  if (id !== undefined) secrets?.bind(location, id);
  const key = await secrets?.keyFor({ location, kind: needed.kind });
  if (key === undefined)
    throw new DiskError('ERR_WRONG_KEY', 'the image is to be encrypted, and no key was given for it', {
      hint: { option: 'keys' },
    });
  return { ...values, [needed.option]: key };
}

/** The id of the secret that the image's key is, where `-o` names one. */
export function keyIdOf({ creation, values, given }: CreationOptions): string | undefined {
  const needed = creation.keyOf?.(values);
  return needed && given.get(needed.option);
}
