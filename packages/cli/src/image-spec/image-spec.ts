import { DiskError, quote } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import { parseBytes } from '../values/byte-size.ts';
import type { DottedOptions } from '../values/key-values.ts';

/** The bytes of an image: a file, or a part of one. */
export interface StorageSpec {
  readonly path: string;
  /** Byte of the file at which the image starts. */
  readonly offset: number;
  /** Bytes of the part. Default: to the end of the file. */
  readonly size: number | undefined;
}

/** Whether the bytes are a part of the file. */
export function isPartOf({ offset, size }: StorageSpec): boolean {
  return offset > 0 || size !== undefined;
}

/** One image, as the caller describes it with `--image-opts` or `json:`. */
export interface ImageSpec {
  readonly storage: StorageSpec;
  /** Name of the format. Default: the image is probed. */
  readonly format: string | undefined;
  /** Id of the `--object secret` that has the passphrase. */
  readonly keySecret: string | undefined;
  /** The backing disk, instead of the one that the image names. */
  readonly backing: ImageSpec | undefined;
  readonly readOnly: boolean;
}

/** Drivers that read a file. */
const STORAGES = ['file', 'host_device'];
/** Options without effect here: how qemu locks files, caches them and names nodes. */
const NO_EFFECT = [
  'aio',
  'auto-read-only',
  'cache.direct',
  'cache.no-flush',
  'force-share',
  'locking',
  'node-name',
];
/**
 * Parses the description of an image. Unknown options are refused: an option that is ignored could mean another image than
 * the one that is opened.
 */
export function parseImageSpec(options: DottedOptions, what: string): ImageSpec {
  const reader = new OptionReader(options, what);
  const spec = imageAt(reader, '');
  reader.refuseRest();
  return spec;
}

/** Takes options one by one, and knows which remain. */
class OptionReader {
  readonly what: string;
  readonly #left: Map<string, string>;

  constructor(options: DottedOptions, what: string) {
    this.what = what;
    this.#left = new Map(options);
  }

  take(key: string): string | undefined {
    const value = this.#left.get(key);
    this.#left.delete(key);
    return value;
  }

  flag(key: string): boolean {
    const value = this.take(key) ?? 'off';
    if (value === 'on' || value === 'off') return value === 'on';
    throw new DiskError('ERR_ARGUMENT', `${this.what}: ${key} is on or off, not ${quote(value)}`);
  }

  bytes(key: string): number | undefined {
    const value = this.take(key);
    return value === undefined ? undefined : parseBytes(value, key);
  }

  /** Whether there is an option below this name. */
  hasBelow(prefix: string): boolean {
    return [...this.#left.keys()].some((key) => key.startsWith(prefix));
  }

  dropWithoutEffect(prefix: string): void {
    for (const key of NO_EFFECT) this.#left.delete(prefix + key);
  }

  refuseRest(): void {
    const [rest] = this.#left.keys();
    if (rest !== undefined)
      throw new DiskError('ERR_UNSUPPORTED', `${this.what} does not know the option ${quote(rest)}`);
  }
}

function imageAt(reader: OptionReader, prefix: string): ImageSpec {
  const driver = reader.take(`${prefix}driver`);
  reader.dropWithoutEffect(prefix);
  const readOnly = reader.flag(`${prefix}read-only`);
  if (driver !== undefined && STORAGES.includes(driver)) {
    const storage = { path: filenameAt(reader, prefix), offset: 0, size: undefined };
    return { storage, format: 'raw', keySecret: undefined, backing: undefined, readOnly };
  }
  const part = driver === 'raw' ? partAt(reader, prefix) : undefined;
  const file = storageAt(reader, `${prefix}file.`);
  const keySecret = reader.take(`${prefix}encrypt.key-secret`);
  const below = `${prefix}backing.`;
  const backing = reader.hasBelow(below) ? imageAt(reader, below) : undefined;
  const storage = part === undefined ? file : partOf(file, part, reader.what);
  return { storage, format: driver, keySecret, backing, readOnly };
}

function storageAt(reader: OptionReader, prefix: string): StorageSpec {
  const driver = reader.take(`${prefix}driver`);
  reader.dropWithoutEffect(prefix);
  if (driver === 'raw') {
    const part = partAt(reader, prefix);
    return partOf(storageAt(reader, `${prefix}file.`), part, reader.what);
  }
  if (driver === undefined || STORAGES.includes(driver))
    return { path: filenameAt(reader, prefix), offset: 0, size: undefined };
  throw new DiskError(
    'ERR_UNSUPPORTED',
    `${reader.what}: ${prefix}driver is ${quote(driver)}; file, host_device and raw are supported`,
  );
}

function filenameAt(reader: OptionReader, prefix: string): string {
  const key = `${prefix}filename`;
  const name = reader.take(key);
  if (name === undefined || name === '')
    throw new DiskError('ERR_ARGUMENT', `${reader.what} needs ${key}: the path of the file`);
  return plainPath(name.startsWith('file:') ? name.slice('file:'.length) : name);
}

interface Part {
  readonly offset: number;
  readonly size: number | undefined;
}

function partAt(reader: OptionReader, prefix: string): Part {
  const offset = reader.bytes(`${prefix}offset`) ?? 0;
  const size = reader.bytes(`${prefix}size`);
  if (size !== undefined && size % SECTOR !== 0)
    throw new DiskError(
      'ERR_ARGUMENT',
      `${reader.what}: ${prefix}size is ${size} bytes, not a multiple of ${SECTOR}`,
    );
  return { offset, size };
}

/** A part of a part. */
function partOf(storage: StorageSpec, { offset, size }: Part, what: string): StorageSpec {
  const left = storage.size === undefined ? undefined : storage.size - offset;
  if (left !== undefined && (left < 0 || (size ?? 0) > left))
    throw new DiskError(
      'ERR_ARGUMENT',
      `${what}: ${size ?? 0} bytes at offset ${offset} do not fit into a part of ${storage.size} bytes`,
    );
  return { path: storage.path, offset: storage.offset + offset, size: size ?? left };
}

/** The path, in a form that no program takes for a URL: `./a:b` instead of `a:b`. */
export function plainPath(path: string): string {
  return schemeOf(path) === undefined ? path : `./${path}`;
}

/** The scheme of a name, `'nbd'` of `nbd://host/export`. */
export function schemeOf(name: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):/i.exec(name)?.[1];
}
