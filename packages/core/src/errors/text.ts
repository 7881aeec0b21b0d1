/** Text for people: numbers in hexadecimal, and names from images made harmless. */

/** `0x1f`. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Control and format characters (bidirectional ones among them), line separators, lone surrogates, quotes. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}"\\]/gu;

/**
 * A name that came out of an image, in quotes and with everything escaped that could move a cursor, end a line or turn
 * the direction of text. Names from images are data: nothing else may print them.
 */
export function quote(name: string): string {
  return `"${name.replace(UNSAFE, escaped)}"`;
}

/** A name without the quotes where it needs none. */
export function printable(name: string): string {
  const quoted = quote(name);
  return quoted === `"${name}"` ? name : quoted;
}

function escaped(char: string): string {
  if (char === '"' || char === '\\') return `\\${char}`;
  const point = char.codePointAt(0) ?? 0;
  return point > 0xffff ? `\\u{${point.toString(16)}}` : `\\u${point.toString(16).padStart(4, '0')}`;
}

/** Bytes of an image as text for people: what is no UTF-8 becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** Bytes of an image as a name to act on: `undefined` unless they are UTF-8 to the last byte. */
export function decodeStrict(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
