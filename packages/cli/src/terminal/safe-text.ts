import { quote } from '@diskstack/core';

/** Control and format characters (bidirectional ones among them), line separators, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** The same, except for the line feeds of indented JSON: those inside of strings are escaped already. */
const UNSAFE_IN_JSON = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Whether a name has such characters, or bytes that were not UTF-8. */
export function hasUnsafe(name: string): boolean {
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\ufffd]/u.test(name);
}

/** One line of text that cannot move a cursor, end the line or turn the direction of text. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** JSON text in which such characters are JSON escapes, so that its value is the same. A `bigint` keeps all its digits. */
export function toSafeJson(value: unknown): string {
  return JSON.stringify(value, exactNumber, 4).replace(UNSAFE_IN_JSON, escaped);
}

interface ExactJson extends JSON {
  rawJSON(text: string): unknown;
}

function exactNumber(_key: string, value: unknown): unknown {
  // Node has this function; the type library does not declare it yet.
  return typeof value === 'bigint' ? (JSON as ExactJson).rawJSON(String(value)) : value;
}

/** A name for people. It is quoted if it has unsafe characters, or could be read as more than a name. */
export function shown(name: string): string {
  const quoted = quote(name);
  const harmless = quoted === `"${name}"` && !/^\s|\s$|[()]|^$/.test(name);
  return harmless ? name : quoted;
}

/** Each UTF-16 unit as `\u` and four digits. */
function escaped(char: string): string {
  let text = '';
  for (let index = 0; index < char.length; index++)
    text += `\\u${char.charCodeAt(index).toString(16).padStart(4, '0')}`;
  return text;
}
