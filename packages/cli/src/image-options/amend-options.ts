import { DiskError, type OptionValue, type OptionValues, quote } from '@diskstack/core';
import type { DiskFormat, ImageAmendment, OptionType } from '@diskstack/core/format';
import { refuseScheme } from '../image-spec/operands.ts';
import type { Secrets } from '../secrets/secrets.ts';
import { optionTexts, optionValues } from './option-texts.ts';

/** `amend -o`, parsed. */
export interface Amendment {
  /** Guest bytes. */
  readonly size: number | undefined;
  /** Every other option. */
  readonly values: OptionValues;
  readonly needsContent: boolean;
}

/** Which features of images of this format can be changed. */
export function amendmentOf({ name, amend }: DiskFormat): ImageAmendment {
  if (amend !== undefined) return amend;
  throw new DiskError('ERR_UNSUPPORTED', `${name} images have no options that could be amended`);
}

export async function parseAmendment(
  format: DiskFormat,
  texts: readonly string[] = [],
  secrets?: Secrets,
): Promise<Amendment> {
  const amend = amendmentOf(format);
  const { options } = amend;
  const known = Object.keys(options).sort();
  if (texts.length === 0)
    throw new DiskError('ERR_ARGUMENT', `nothing to amend; give -o with one of ${known.join(', ')}`);
  const created = format.create?.options ?? {};
  const given = optionTexts(texts, { ...created, ...options });
  for (const key of given.keys())
    if (Object.hasOwn(created, key) && !Object.hasOwn(options, key)) throw refusal(key, created[key]?.type);
  const values = optionValues(format.name, options, given);
  let size: number | undefined;
  const others: Record<string, OptionValue> = {};
  for (const [key, value] of Object.entries(values)) {
    const type = options[key]?.type;
    if (type === 'file') refuseScheme(String(value), 'the data file');
    if (type === 'virtual-size') size = value as number;
    else if (type === 'secret') others[key] = await secretOf(given.get(key) ?? '', secrets);
    else if (value !== undefined) others[key] = value;
  }
  return { size, values: others, needsContent: amend.needsContent?.(others) ?? false };
}

async function secretOf(id: string, secrets: Secrets | undefined): Promise<Uint8Array> {
  const key = await secrets?.named(id);
  if (key !== undefined) return key;
  throw new DiskError(
    'ERR_ARGUMENT',
    `no secret has the id ${quote(id)}; give one with --object secret,id=…`,
  );
}

/** Why an option of a new image cannot be amended. */
function refusal(key: string, type: OptionType | undefined): DiskError {
  if (type === 'backing-file' || type === 'backing-format')
    return new DiskError(
      'ERR_UNSUPPORTED',
      `${key} is not amended: diskstack rebase changes the backing file and its format`,
    );
  return new DiskError('ERR_ARGUMENT', `${key} is decided when an image is created, and cannot be amended`);
}
