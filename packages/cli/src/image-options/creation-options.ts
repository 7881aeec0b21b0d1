import { DiskError, quote } from '@diskstack/core';
import type { CreateQcowOptions, EncryptionShape, NewEncryption, Preallocation } from '@diskstack/qcow';
import type { Secrets } from '../secrets/secrets.ts';
import { parseSize } from '../values/byte-size.ts';
import { pairsOf } from '../values/key-values.ts';
import { OPTION_HELP } from './option-help.ts';

/** The keys of `-o`, by format. The names are qemu-img's. */
export const CREATION_KEYS: Readonly<Record<string, readonly string[]>> = {
  raw: ['extent_size_hint', 'nocow', 'preallocation', 'size'],
  qcow: [
    'backing_file',
    'backing_fmt',
    'encrypt.format',
    'encrypt.key-secret',
    'encryption',
    'extent_size_hint',
    'nocow',
    'size',
  ],
  qcow2: [
    'backing_file',
    'backing_fmt',
    'cluster_size',
    'compat',
    'compression_type',
    'data_file',
    'data_file_raw',
    'encrypt.cipher-alg',
    'encrypt.cipher-mode',
    'encrypt.format',
    'encrypt.hash-alg',
    'encrypt.iter-time',
    'encrypt.ivgen-alg',
    'encrypt.ivgen-hash-alg',
    'encrypt.key-secret',
    'encryption',
    'extended_l2',
    'extent_size_hint',
    'lazy_refcounts',
    'nocow',
    'preallocation',
    'refcount_bits',
    'size',
  ],
};

/** The part of `-o` that `createQcow` takes as it is. */
type Shape = Omit<CreateQcowOptions, 'size' | 'backing' | 'dataFile' | 'encryption'>;

/** `-o`, parsed. */
export interface CreationOptions {
  readonly format: 'raw' | 'qcow' | 'qcow2';
  readonly size: number | undefined;
  readonly preallocation: Preallocation;
  readonly qcow: Shape;
  readonly backingFile: string | undefined;
  readonly backingFormat: string | undefined;
  readonly dataFile: string | undefined;
  readonly dataFileRaw: boolean;
  readonly encryption: EncryptionShape | undefined;
  /** Bytes that XFS should allocate together. Checked and ignored: Node cannot set this hint. */
  readonly extentSizeHint: number | undefined;
  /** The keys and values as they were given, for messages. */
  readonly given: ReadonlyMap<string, string>;
}

/** Parses all `-o` of a command for a format: `KEY=VALUE[,KEY=VALUE…]`, with commas in values doubled. */
export function parseCreationOptions(format: string, texts: readonly string[] = []): CreationOptions {
  const known = CREATION_KEYS[format];
  if ((format !== 'raw' && format !== 'qcow' && format !== 'qcow2') || known === undefined)
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `writing ${quote(format)} images is not supported; raw, qcow and qcow2 are`,
    );
  const given = new Map(texts.flatMap((text) => pairsOf(text, '-o', known.filter(isFlag))));
  for (const key of given.keys()) {
    if (!known.includes(key))
      throw new DiskError(
        'ERR_ARGUMENT',
        `${format} has no option ${quote(key)}; there are ${known.join(', ')}`,
      );
  }
  const flag = (key: string): boolean | undefined => map(given.get(key), (value) => parseFlag(key, value));
  const number = (key: string): number | undefined => map(given.get(key), (value) => parseNumber(key, value));
  const size = (key: string): number | undefined => map(given.get(key), (value) => parseSize(value, key));
  const preallocation = map(given.get('preallocation'), parsePreallocation) ?? 'off';
  const dataFileRaw = flag('data_file_raw') ?? false;
  flag('nocow'); // refuses a value that is neither on nor off
  if (dataFileRaw && !given.has('data_file'))
    throw new DiskError('ERR_ARGUMENT', 'data_file_raw needs a data_file');
  const encryption = parseEncryption(given, flag('encryption') ?? false, number('encrypt.iter-time'));
  if (format === 'qcow' && encryption?.kind === 'luks')
    throw new DiskError('ERR_ARGUMENT', 'encrypt.format of qcow images is aes, not "luks"');
  return {
    format,
    size: size('size'),
    preallocation,
    qcow: {
      version: map(given.get('compat'), parseCompat),
      clusterSize: size('cluster_size'),
      refcountBits: number('refcount_bits'),
      extendedL2: flag('extended_l2'),
      lazyRefcounts: flag('lazy_refcounts'),
      compressionType: map(given.get('compression_type'), parseCompression),
      preallocation,
    },
    backingFile: given.get('backing_file'),
    backingFormat: given.get('backing_fmt'),
    dataFile: given.get('data_file'),
    dataFileRaw,
    encryption,
    extentSizeHint: size('extent_size_hint'),
    given,
  };
}

function isFlag(key: string): boolean {
  return OPTION_HELP[key]?.type === 'bool (on/off)';
}

function map<T>(value: string | undefined, parse: (value: string) => T): T | undefined {
  return value === undefined ? undefined : parse(value);
}

export function parseFlag(key: string, value: string): boolean {
  if (['on', 'yes', 'true', 'y'].includes(value)) return true;
  if (['off', 'no', 'false', 'n'].includes(value)) return false;
  throw new DiskError('ERR_ARGUMENT', `${key} is on or off, not ${quote(value)}`);
}

export function parseNumber(key: string, value: string): number {
  if (/^[0-9]{1,15}$/.test(value)) return Number(value);
  throw new DiskError('ERR_ARGUMENT', `${key} is a number, not ${quote(value)}`);
}

export function parseCompat(value: string): 2 | 3 {
  if (value === '0.10' || value === 'v2') return 2;
  if (value === '1.1' || value === 'v3') return 3;
  throw new DiskError('ERR_ARGUMENT', `compat is 0.10 or 1.1, not ${quote(value)}`);
}

function parseCompression(value: string): 'zlib' | 'zstd' {
  if (value === 'zlib' || value === 'zstd') return value;
  throw new DiskError('ERR_ARGUMENT', `compression_type is zlib or zstd, not ${quote(value)}`);
}

export function parsePreallocation(value: string): Preallocation {
  if (value === 'off' || value === 'metadata' || value === 'falloc' || value === 'full') return value;
  throw new DiskError('ERR_ARGUMENT', `preallocation is off, metadata, falloc or full, not ${quote(value)}`);
}

function parseEncryption(
  given: ReadonlyMap<string, string>,
  legacy: boolean,
  iterTime: number | undefined,
): CreationOptions['encryption'] {
  const format = given.get('encrypt.format') ?? (legacy ? 'aes' : undefined);
  if (format === undefined) {
    const stray = [...given.keys()].find((key) => key.startsWith('encrypt.'));
    if (stray === undefined) return undefined;
    throw new DiskError('ERR_ARGUMENT', `${stray} without encrypt.format`);
  }
  if (format === 'aes') return { kind: 'aes' };
  if (format !== 'luks')
    throw new DiskError('ERR_ARGUMENT', `encrypt.format is luks or aes, not ${quote(format)}`);
  return {
    kind: 'luks',
    settings: {
      cipher: given.get('encrypt.cipher-alg'),
      mode: given.get('encrypt.cipher-mode'),
      ivgen: given.get('encrypt.ivgen-alg'),
      ivgenHash: given.get('encrypt.ivgen-hash-alg'),
      hash: given.get('encrypt.hash-alg'),
      iterTime,
    },
  };
}

/** The encryption of a new image, with the passphrase of `encrypt.key-secret` or of `--secret`. */
export async function encryptionOf(
  { encryption, given }: CreationOptions,
  location: string,
  secrets: Secrets | undefined,
): Promise<NewEncryption | undefined> {
  if (encryption === undefined) return undefined;
  const id = given.get('encrypt.key-secret');
  if (id !== undefined) secrets?.bind(location, id);
  const passphrase = await secrets?.keyFor({ location, kind: encryption.kind });
  if (passphrase === undefined)
    throw new DiskError('ERR_WRONG_KEY', 'the image is to be encrypted, and no key was given for it', {
      hint: { option: 'keys' },
    });
  return { ...encryption, passphrase };
}
