import { DiskError } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import type { ConfigEntry, ConfigNode, ConfigScalar, ConfigSection, ConfigValue } from './config.ts';
import { Tokenizer } from './tokenizer.ts';

/** Levels of nested sections. lvm2 writes five. */
const MAX_DEPTH = 32;
/** Keys and values of one text. Enough for about 50,000 logical volumes. */
const MAX_NODES = 1_000_000;

/** Nodes between two checks of the time. */
const TOGETHER = 64;

/** A parser that yields from time to time, so that its caller can yield to the event loop. */
type Parsing<T> = Generator<undefined, T, undefined>;

/**
 * Parses a metadata text. The grammar is that of lvm2 `libdm/libdm-config.c`: `file = node*`,
 * `node = key '{' node* '}' | key '=' value`, `value = scalar | '[' scalar, … ']'`. The result is a section with an empty
 * key. Throws `ERR_CORRUPT` with the line number, or `ERR_LIMIT`.
 */
export function parseConfig(text: string): ConfigSection {
  const parsing = new Parser(text).file();
  for (;;) {
    const step = parsing.next();
    if (step.done) return { key: '', nodes: step.value };
  }
}

/** The same, but yields to the event loop: the text of a large volume group takes a second. */
export async function parseConfigInTurns(text: string): Promise<ConfigSection> {
  const parsing = new Parser(text).file();
  for (;;) {
    const step = parsing.next();
    if (step.done) return { key: '', nodes: step.value };
    const pause = breathe();
    if (pause !== undefined) await pause;
  }
}

class Parser {
  readonly #tokens: Tokenizer;
  #left = MAX_NODES;
  #nodes = 0;

  constructor(text: string) {
    this.#tokens = new Tokenizer(text);
  }

  *file(): Parsing<readonly ConfigNode[]> {
    const nodes: ConfigNode[] = [];
    while (!this.#tokens.is('end')) nodes.push(yield* this.#node(0));
    return nodes;
  }

  *#node(depth: number): Parsing<ConfigNode> {
    if (++this.#nodes % TOGETHER === 0) yield;
    const path = this.#key();
    if (depth >= MAX_DEPTH)
      throw new DiskError('ERR_LIMIT', `the metadata text has sections more than ${MAX_DEPTH} levels deep`);
    const last = path.at(-1) ?? '';
    let node: ConfigNode;
    if (this.#tokens.is('{')) {
      this.#tokens.next();
      const nodes: ConfigNode[] = [];
      while (!this.#tokens.is('}')) {
        if (this.#tokens.is('end')) throw this.#tokens.fail('}');
        nodes.push(yield* this.#node(depth + 1));
      }
      this.#tokens.next();
      node = { key: last, nodes };
    } else if (this.#tokens.is('=')) {
      this.#tokens.next();
      node = { key: last, value: this.#value() } satisfies ConfigEntry;
    } else {
      throw this.#tokens.fail('{ or =');
    }
    for (const key of path.slice(0, -1).reverse()) node = { key, nodes: [node] };
    return node;
  }

  /** A key with a slash is a path: `a/b = 1` means `a { b = 1 }`. */
  #key(): readonly string[] {
    const { kind, text } = this.#tokens;
    if (kind !== 'word' && kind !== 'escaped' && kind !== 'literal') throw this.#tokens.fail('a key');
    const path = text.split('/').filter((part) => part !== '');
    if (path.length === 0) throw this.#tokens.fail('a key that is not empty');
    if (path.length > MAX_DEPTH)
      throw new DiskError(
        'ERR_LIMIT',
        `a key of the metadata text has ${path.length} parts; at most ${MAX_DEPTH} are read`,
      );
    this.#count(path.length);
    this.#tokens.next();
    return path;
  }

  #value(): ConfigValue {
    if (!this.#tokens.is('[')) return this.#scalar();
    this.#tokens.next();
    const values: ConfigScalar[] = [];
    while (!this.#tokens.is(']')) {
      values.push(this.#scalar());
      if (this.#tokens.is(',')) this.#tokens.next();
    }
    this.#tokens.next();
    return values;
  }

  #scalar(): ConfigScalar {
    const { kind, text } = this.#tokens;
    const value = this.#scalarOf(kind, text);
    this.#count(1);
    this.#tokens.next();
    return value;
  }

  #scalarOf(kind: Tokenizer['kind'], text: string): ConfigScalar {
    if (kind === 'int') return integer(text) ?? this.#refuse();
    if (kind === 'float') return Number(text) || 0;
    if (kind === 'word' || kind === 'escaped' || kind === 'literal') return text;
    return this.#refuse();
  }

  #refuse(): never {
    throw this.#tokens.fail('a value');
  }

  #count(nodes: number): void {
    this.#left -= nodes;
    if (this.#left < 0)
      throw new DiskError('ERR_LIMIT', `the metadata text has more than ${MAX_NODES} keys and values`);
  }
}

/** Reads digits as `strtoll` with base 0 does: a leading 0 means octal. */
function integer(text: string): bigint | undefined {
  const [, sign = '', digits = ''] = /^([+-]?)([0-9]{1,20})$/.exec(text) ?? [];
  if (digits === '') return undefined;
  const isOctal = digits.length > 1 && digits.startsWith('0');
  if (isOctal && /[89]/.test(digits)) return undefined;
  const value = BigInt(isOctal ? `0o${digits}` : digits);
  return sign === '-' ? -value : value;
}
