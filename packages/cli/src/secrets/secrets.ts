import { DiskError, type KeyProvider, type KeyRequest, quote } from '@diskstack/core';
import { type DottedOptions, optionsOf, optionsOfJson } from '../values/key-values.ts';
import { keysFrom, readSecretFile } from './secret-keys.ts';

/** The passphrases that the caller gives: one for every image (`--secret`), or named ones (`--object secret,id=…`). */
export class Secrets implements KeyProvider {
  readonly #forAll: readonly string[] | undefined;
  readonly #objects: readonly string[];
  readonly #ids = new Map<string, string>();
  #loaded: Promise<Loaded> | undefined;

  constructor(secret: readonly string[] | undefined, objects: readonly string[] = []) {
    this.#forAll = secret;
    this.#objects = objects;
  }

  get areGiven(): boolean {
    return this.#forAll !== undefined || this.#objects.length > 0;
  }

  /** Reads every secret, once: a file may be a pipe. */
  async load(): Promise<void> {
    await this.#load();
  }

  /** Uses the secret of this id for the image at this path. */
  bind(location: string, id: string): void {
    this.#ids.set(location, id);
  }

  async keyFor(request: KeyRequest): Promise<Uint8Array | undefined> {
    const { forAll, named } = await this.#load();
    const id = request.location === undefined ? undefined : this.#ids.get(request.location);
    if (id === undefined) return forAll?.keyFor(request);
    const key = named.get(id) ?? (await forAll?.keyFor(request));
    if (key === undefined)
      throw new DiskError(
        'ERR_ARGUMENT',
        `no secret has the id ${quote(id)}; give one with --object secret,id=…`,
      );
    return key;
  }

  /** The secret of an id. */
  async named(id: string): Promise<Uint8Array | undefined> {
    return (await this.#load()).named.get(id);
  }

  #load(): Promise<Loaded> {
    this.#loaded ??= loadAll(this.#forAll, this.#objects);
    return this.#loaded;
  }
}

interface Loaded {
  readonly forAll: KeyProvider | undefined;
  readonly named: ReadonlyMap<string, Uint8Array>;
}

async function loadAll(forAll: readonly string[] | undefined, objects: readonly string[]): Promise<Loaded> {
  const named = new Map<string, Uint8Array>();
  for (const text of objects) {
    const { id, key } = await readObject(text);
    if (named.has(id)) throw new DiskError('ERR_ARGUMENT', `two objects have the id ${quote(id)}`);
    named.set(id, key);
  }
  return { forAll: await keysFrom(forAll), named };
}

const WHAT = '--object';

/** `secret,id=ID,data=…|file=PATH[,format=raw|base64]`, or the same as JSON. No message has any of the secret. */
async function readObject(text: string): Promise<{ id: string; key: Uint8Array }> {
  const { type, options } = typeAndOptions(text);
  if (type !== 'secret')
    throw new DiskError('ERR_UNSUPPORTED', `${WHAT} of type ${quote(type)} is not supported; secret is`);
  for (const name of options.keys()) {
    if (!['id', 'data', 'file', 'format'].includes(name))
      throw new DiskError('ERR_UNSUPPORTED', `${WHAT} secret does not know the option ${quote(name)}`);
  }
  const id = options.get('id');
  const data = options.get('data');
  const file = options.get('file');
  const format = options.get('format') ?? 'raw';
  if (id === undefined || id === '') throw new DiskError('ERR_ARGUMENT', `${WHAT} secret needs an id`);
  if ((data === undefined) === (file === undefined))
    throw new DiskError('ERR_ARGUMENT', `${WHAT} secret ${quote(id)} needs either file or data`);
  if (format !== 'raw' && format !== 'base64')
    throw new DiskError(
      'ERR_ARGUMENT',
      `format of secret ${quote(id)} is raw or base64, not ${quote(format)}`,
    );
  // All of the file counts, as in qemu: a line feed at its end is part of a raw secret.
  const bytes = file === undefined ? new TextEncoder().encode(data) : await readSecretFile(file);
  return { id, key: checkedText(format === 'raw' ? bytes : fromBase64(bytes, id), id) };
}

function typeAndOptions(text: string): { type: string; options: DottedOptions } {
  if (text.startsWith('{')) {
    const { 'qom-type': type = '', ...rest } = Object.fromEntries(optionsOfJson(text, WHAT));
    return { type, options: new Map(Object.entries(rest)) };
  }
  const comma = text.indexOf(',');
  const [first, rest] = comma < 0 ? [text, ''] : [text.slice(0, comma), text.slice(comma + 1)];
  return { type: first.replace(/^qom-type=/, ''), options: optionsOf(rest, WHAT) };
}

function fromBase64(bytes: Uint8Array, id: string): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1').replaceAll('\n', '');
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text))
    return Buffer.from(text, 'base64');
  throw new DiskError('ERR_ARGUMENT', `secret ${quote(id)} is not base64`);
}

/** A passphrase is text without NUL: qemu stops at one. */
function checkedText(key: Uint8Array, id: string): Uint8Array {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(key);
  } catch {
    throw new DiskError('ERR_ARGUMENT', `secret ${quote(id)} is not UTF-8`);
  }
  if (key.includes(0)) throw new DiskError('ERR_ARGUMENT', `secret ${quote(id)} has a NUL byte`);
  return key;
}
