import { DiskError } from '@diskstack/core';

/** `escaped` is a string in double quotes, `literal` one in single quotes, `word` a key or a string without quotes. */
export type TokenKind =
  | '{'
  | '}'
  | '['
  | ']'
  | ','
  | '='
  | 'escaped'
  | 'literal'
  | 'word'
  | 'int'
  | 'float'
  | 'end';

const PUNCTUATION = new Set<string>(['{', '}', '[', ']', ',', '=']);
const SPACE = /\s/;
const WORD_END = /[\s#={}]/;

/** Splits a metadata text into tokens, as lvm2 `libdm/libdm-config.c` does. A NUL ends the text. */
export class Tokenizer {
  kind: TokenKind = 'end';
  /** The text of the token; of a string, without its quotes. */
  text = '';
  readonly #source: string;
  #position = 0;
  /** The position at which the token starts. */
  #start = 0;

  constructor(source: string) {
    const end = source.indexOf('\0');
    this.#source = end < 0 ? source : source.slice(0, end);
    this.next();
  }

  /** Moves to the next token. A digit, a sign or a point starts a number only after `=`, `[` and `,`. */
  next(): void {
    const isValue = this.kind === '=' || this.kind === '[' || this.kind === ',';
    this.#skipSpace();
    this.#start = this.#position;
    const char = this.#source[this.#position];
    if (char === undefined) this.#take('end', this.#position);
    else if (PUNCTUATION.has(char)) this.#take(char as TokenKind, this.#position + 1);
    else if (char === '"') this.#takeEscaped();
    else if (char === "'") this.#takeLiteral();
    else if (isValue && /[0-9.+-]/.test(char)) this.#takeNumber();
    else this.#takeWord();
  }

  is(kind: TokenKind): boolean {
    return this.kind === kind;
  }

  fail(expected: string): DiskError {
    const line = this.#source.slice(0, this.#start).split('\n').length;
    const found = this.kind === 'end' ? 'the end of the text' : this.kind;
    return new DiskError('ERR_CORRUPT', `metadata text, line ${line}: ${expected} expected, ${found} found`);
  }

  #take(kind: TokenKind, end: number): void {
    this.kind = kind;
    this.text = this.#source.slice(this.#start, end);
    this.#position = end;
  }

  #skipSpace(): void {
    for (;;) {
      const char = this.#source[this.#position];
      if (char === '#') {
        const end = this.#source.indexOf('\n', this.#position);
        this.#position = end < 0 ? this.#source.length : end;
      } else if (char !== undefined && SPACE.test(char)) this.#position++;
      else return;
    }
  }

  #takeEscaped(): void {
    let at = this.#position + 1;
    while (at < this.#source.length && this.#source[at] !== '"') at += this.#source[at] === '\\' ? 2 : 1;
    this.#quoted('escaped', at);
    this.text = this.text.replace(/\\(["\\])/g, '$1');
  }

  #takeLiteral(): void {
    const end = this.#source.indexOf("'", this.#position + 1);
    this.#quoted('literal', end < 0 ? this.#source.length : end);
  }

  #quoted(kind: TokenKind, end: number): void {
    if (end >= this.#source.length) throw this.fail('the end of a string');
    this.#take(kind, end + 1);
    this.text = this.#source.slice(this.#start + 1, end);
  }

  #takeNumber(): void {
    const number = /[0-9]*(?:\.[0-9]*)?/y;
    number.lastIndex = this.#position + (/[+-]/.test(this.#source[this.#position] ?? '') ? 1 : 0);
    number.exec(this.#source);
    const end = Math.max(number.lastIndex, this.#position + 1);
    this.#take(this.#source.slice(this.#start, end).includes('.') ? 'float' : 'int', end);
  }

  #takeWord(): void {
    let end = this.#position + 1;
    while (end < this.#source.length && !WORD_END.test(this.#source[end] ?? '')) end++;
    this.#take('word', end);
  }
}
