import { DiskError, quote } from '@diskstack/core';
import { parseSize } from '../values/byte-size.ts';
import { pairsOf } from '../values/key-values.ts';
import { CREATION_KEYS, parseCompat, parseFlag, parseNumber } from './creation-options.ts';

/** The keys of `amend -o`, by format. The names are qemu-img's. */
export const AMEND_KEYS: Readonly<Record<string, readonly string[]>> = {
  qcow2: [
    'compat',
    'data_file',
    'data_file_raw',
    'encrypt.iter-time',
    'encrypt.keyslot',
    'encrypt.new-secret',
    'encrypt.old-secret',
    'encrypt.state',
    'lazy_refcounts',
    'refcount_bits',
    'size',
  ],
};

/** Keys that qemu-img amends and diskstack does not, and why. */
const NOT_AMENDED: Readonly<Record<string, string>> = {
  backing_file: 'diskstack rebase changes the backing file',
  backing_fmt: 'diskstack rebase changes the backing file and its format',
};

/** `amend -o`, parsed. */
export interface Amendment {
  readonly size: number | undefined;
  readonly version: 2 | 3 | undefined;
  readonly lazyRefcounts: boolean | undefined;
  readonly refcountBits: number | undefined;
  readonly dataFile: string | undefined;
  readonly dataFileRaw: boolean | undefined;
  readonly keySlots: KeySlotOptions | undefined;
}

/** The `encrypt.…` keys of `amend -o`. Secrets are given by their ids. */
export interface KeySlotOptions {
  readonly state: 'active' | 'inactive';
  readonly slot: number | undefined;
  readonly oldSecret: string | undefined;
  readonly newSecret: string | undefined;
  readonly iterTime: number | undefined;
}

export function parseAmendment(format: string, texts: readonly string[] = []): Amendment {
  const known = AMEND_KEYS[format];
  if (known === undefined)
    throw new DiskError('ERR_UNSUPPORTED', `${format} images have no options that could be amended`);
  if (texts.length === 0)
    throw new DiskError('ERR_ARGUMENT', `nothing to amend; give -o with one of ${known.join(', ')}`);
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
    keySlots: [...given.keys()].some((key) => key.startsWith('encrypt.'))
      ? {
          state: parseState(given.get('encrypt.state')),
          slot: value('encrypt.keyslot', (text) => parseNumber('encrypt.keyslot', text)),
          oldSecret: given.get('encrypt.old-secret'),
          newSecret: given.get('encrypt.new-secret'),
          iterTime: value('encrypt.iter-time', (text) => parseNumber('encrypt.iter-time', text)),
        }
      : undefined,
  };
}

function refusal(format: string, key: string, known: readonly string[]): DiskError {
  const why = NOT_AMENDED[key];
  if (why !== undefined) return new DiskError('ERR_UNSUPPORTED', `${key} is not amended: ${why}`);
  if (CREATION_KEYS[format]?.includes(key))
    return new DiskError('ERR_ARGUMENT', `${key} is decided when an image is created, and cannot be amended`);
  return new DiskError(
    'ERR_ARGUMENT',
    `${format} has no option ${quote(key)}; there are ${known.join(', ')}`,
  );
}

function parseState(text: string | undefined): 'active' | 'inactive' {
  if (text === 'active' || text === 'inactive') return text;
  const given = text === undefined ? 'is missing' : `is ${quote(text)}`;
  throw new DiskError('ERR_ARGUMENT', `encrypt.state is active or inactive, and ${given}`);
}
