import { DiskError, quote } from '@diskstack/core';
import { parseSize } from './byte-size.ts';
import { CREATION_KEYS, parseCompat, parseFlag, parseNumber } from './creation-options.ts';
import { pairsOf } from './image-spec/key-values.ts';

/** What `amend -o` can change of each format: the names are qemu-img's. */
export const AMEND_KEYS: Readonly<Record<string, readonly string[]>> = {
  qcow2: ['compat', 'data_file', 'data_file_raw', 'lazy_refcounts', 'refcount_bits', 'size'],
};

/** What qemu-img amends and diskstack does not, and why. */
const NOT_AMENDED: Readonly<Record<string, string>> = {
  backing_file: 'diskstack rebase changes the backing file',
  backing_fmt: 'diskstack rebase changes the backing file and its format',
};

/** `amend -o`, understood. */
export interface Amendment {
  readonly size: number | undefined;
  readonly version: 2 | 3 | undefined;
  readonly lazyRefcounts: boolean | undefined;
  readonly refcountBits: number | undefined;
  readonly dataFile: string | undefined;
  readonly dataFileRaw: boolean | undefined;
}

export function parseAmendment(format: string, texts: readonly string[] = []): Amendment {
  const known = AMEND_KEYS[format];
  if (known === undefined)
    throw new DiskError('ERR_UNSUPPORTED', `${format} images have no options that could be amended`);
  if (texts.length === 0)
    throw new DiskError('ERR_ARGUMENT', `nothing to amend: -o says what, one of ${known.join(', ')}`);
  const given = new Map(texts.flatMap((text) => pairsOf(text, '-o', ['data_file_raw', 'lazy_refcounts'])));
  for (const key of given.keys()) if (!known.includes(key)) throw refusal(format, key, known);
  const value = <T>(key: string, parse: (text: string) => T): T | undefined => {
    const text = given.get(key);
    return text === undefined ? undefined : parse(text);
  };
  return {
    size: value('size', (text) => parseSize(text, 'size')),
    version: value('compat', parseCompat),
    lazyRefcounts: value('lazy_refcounts', (text) => parseFlag('lazy_refcounts', text)),
    refcountBits: value('refcount_bits', (text) => parseNumber('refcount_bits', text)),
    dataFile: given.get('data_file'),
    dataFileRaw: value('data_file_raw', (text) => parseFlag('data_file_raw', text)),
  };
}

function refusal(format: string, key: string, known: readonly string[]): DiskError {
  const why = NOT_AMENDED[key];
  if (why !== undefined) return new DiskError('ERR_UNSUPPORTED', `${key} is not amended: ${why}`);
  if (key.startsWith('encrypt.') && !(CREATION_KEYS[format] ?? []).includes(key))
    return new DiskError('ERR_UNSUPPORTED', `${key}: the key slots of encrypted images cannot be changed`);
  if (CREATION_KEYS[format]?.includes(key))
    return new DiskError('ERR_ARGUMENT', `${key} is decided when an image is created, and cannot be amended`);
  return new DiskError(
    'ERR_ARGUMENT',
    `${format} has no option ${quote(key)}; there are ${known.join(', ')}`,
  );
}
