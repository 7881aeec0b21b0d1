import { DiskError, quote } from '@diskstack/core';

/** Options by their dotted names: `file.filename`, `backing.file.driver`. */
export type DottedOptions = ReadonlyMap<string, string>;

/** Parses `KEY=VALUE[,KEY=VALUE…]`. A comma in a value is doubled. A flag without a value is on. `what` names the option in errors. */
export function pairsOf(
  text: string,
  what: string,
  flags: readonly string[] = [],
): readonly (readonly [string, string])[] {
  return (text.match(/(?:[^,]|,,)+/g) ?? []).map((part) => {
    const pair = part.replaceAll(',,', ',');
    const at = pair.indexOf('=');
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)] as const;
    if (flags.includes(pair)) return [pair, 'on'] as const;
    throw new DiskError('ERR_ARGUMENT', `${what} takes KEY=VALUE, not ${quote(pair)}`);
  });
}

/** The same as a map. Refuses a key that is given twice. */
export function optionsOf(text: string, what: string): DottedOptions {
  const options = new Map<string, string>();
  for (const [key, value] of pairsOf(text, what)) put(options, key, value, what);
  return options;
}

/** The members of a JSON object; nested objects become dotted names. */
export function optionsOfJson(text: string, what: string): DottedOptions {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DiskError('ERR_ARGUMENT', `${what} is not JSON: ${why}`, { cause });
  }
  const options = new Map<string, string>();
  flatten(value, '', options, what);
  return options;
}

function flatten(value: unknown, prefix: string, options: Map<string, string>, what: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DiskError('ERR_ARGUMENT', `${what} takes one object, not ${quote(JSON.stringify(value))}`);
  for (const [name, member] of Object.entries(value)) {
    const key = prefix + name;
    if (typeof member === 'string') put(options, key, member, what);
    else if (typeof member === 'number') put(options, key, String(member), what);
    else if (typeof member === 'boolean') put(options, key, member ? 'on' : 'off', what);
    else if (typeof member === 'object' && member !== null && !Array.isArray(member))
      flatten(member, `${key}.`, options, what);
    else
      throw new DiskError(
        'ERR_UNSUPPORTED',
        `${what}: ${quote(key)} is ${JSON.stringify(member)}, which is not supported`,
      );
  }
}

function put(options: Map<string, string>, key: string, value: string, what: string): void {
  if (options.has(key)) throw new DiskError('ERR_ARGUMENT', `${what} has ${quote(key)} twice`);
  options.set(key, value);
}
