import { breathe, DiskError } from '@diskstack/core';
import type { ConfigEntry, ConfigNode, ConfigScalar, ConfigSection, ConfigValue } from './config.ts';
import { Tokenizer } from './tokenizer.ts';

/** Sections inside of each other; lvm2 writes five. */
const MAX_DEPTH = 32;
/** Keys and values of one text: some 50,000 logical volumes. */
const MAX_NODES = 1_000_000;

/** Nodes that are parsed without a look at the time. */
const TOGETHER = 64;

/** Parsing that stops now and then, so that the caller may wait. */
type Parsing<T> = Generator<undefined, T, undefined>;

/** lvm2 `libdm/libdm-config.c`: `file = node*`, `node = key '{' node* '}' | key '=' value`, `value = scalar | '[' … ']'`. */
export function parseConfig(text: string): ConfigSection {
  const parsing = new Parser(text).file();
  for (;;) {
    const step = parsing.next();
    if (step.done) return { key: '', nodes: step.value };
  }
}

/** The same with turns for the event loop: the text of a large volume group takes a second. */
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
      throw new DiskError('ERR_LIMIT', `metadata text with sections more than ${MAX_DEPTH} deep`);
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

  /** A slash in a key makes sections: `a/b = 1` is `a { b = 1 }`. */
  #key(): readonly string[] {
    const { kind, text } = this.#tokens;
    if (kind !== 'word' && kind !== 'escaped' && kind !== 'literal') throw this.#tokens.fail('a key');
    const path = text.split('/').filter((part) => part !== '');
    if (path.length === 0) throw this.#tokens.fail('a key that is not empty');
    if (path.length > MAX_DEPTH)
      throw new DiskError('ERR_LIMIT', `a key of metadata text with ${path.length} parts`);
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
      throw new DiskError('ERR_LIMIT', `metadata text of more than ${MAX_NODES} keys and values`);
  }
}

/** As `strtoll` with base 0 reads what is a number at most: a leading 0 is octal. */
function integer(text: string): bigint | undefined {
  const [, sign = '', digits = ''] = /^([+-]?)([0-9]{1,20})$/.exec(text) ?? [];
  if (digits === '') return undefined;
  const isOctal = digits.length > 1 && digits.startsWith('0');
  if (isOctal && /[89]/.test(digits)) return undefined;
  const value = BigInt(isOctal ? `0o${digits}` : digits);
  return sign === '-' ? -value : value;
}
