/** Text for people: hexadecimal numbers, and names from images with unsafe characters escaped. */

/** Hexadecimal with prefix: `0x1f`. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Control and format characters (including bidirectional ones), line separators, lone surrogates, quotes, backslashes. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}"\\]/gu;

/**
 * Quotes a name from an image. Escapes every character that could move the cursor, end the line or change the text direction.
 * Names from images are untrusted: print them only through this function or `printable`.
 */
export function quote(name: string): string {
  return `"${name.replace(UNSAFE, escaped)}"`;
}

/** Like `quote`, but without quotes if the name needs no escapes. */
export function printable(name: string): string {
  const quoted = quote(name);
  return quoted === `"${name}"` ? name : quoted;
}

function escaped(char: string): string {
  if (char === '"' || char === '\\') return `\\${char}`;
  const point = char.codePointAt(0) ?? 0;
  return point > 0xffff ? `\\u{${point.toString(16)}}` : `\\u${point.toString(16).padStart(4, '0')}`;
}

/** Decodes bytes of an image as text for people: invalid UTF-8 becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** Decodes bytes of an image as a name that is used to open something. `undefined` if they are not valid UTF-8. */
export function decodeStrict(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
