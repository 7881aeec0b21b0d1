import { DiskError, type OptionSchema, type OptionValue, type OptionValues, quote } from '@diskstack/core';
import { checkOptions, type OptionType } from '@diskstack/core/format';
import { parseSize } from '../values/byte-size.ts';
import { pairsOf } from '../values/key-values.ts';

/**
 * All `-o` of a command, as they were given: `KEY=VALUE[,KEY=VALUE…]`, with commas in values doubled. The last value of a key
 * counts. A flag of the schema needs no value.
 */
export function optionTexts(
  texts: readonly string[] | undefined,
  schema: OptionSchema,
): ReadonlyMap<string, string> {
  const flags = Object.keys(schema).filter((key) => schema[key]?.type === 'flag');
  return new Map(texts?.flatMap((text) => pairsOf(text, '-o', flags)));
}

/** The values, held against the schema. A value of type `secret` is empty: its text is the id of the secret. */
export function optionValues(
  format: string,
  schema: OptionSchema,
  texts: ReadonlyMap<string, string>,
): OptionValues {
  const values: Record<string, OptionValue> = {};
  for (const [key, text] of texts) {
    const type = Object.hasOwn(schema, key) ? schema[key]?.type : undefined;
    values[key] = type === undefined ? text : parsedValue(key, type, text);
  }
  return checkOptions(format, schema, values);
}

function parsedValue(key: string, type: OptionType, text: string): OptionValue {
  switch (type) {
    case 'flag':
      return parseFlag(key, text);
    case 'number':
      return parseNumber(key, text);
    case 'size':
    case 'virtual-size':
      return parseSize(text, key);
    case 'secret':
      return new Uint8Array();
    default:
      return text;
  }
}

function parseFlag(key: string, value: string): boolean {
  if (['on', 'yes', 'true', 'y'].includes(value)) return true;
  if (['off', 'no', 'false', 'n'].includes(value)) return false;
  throw new DiskError('ERR_ARGUMENT', `${key} is on or off, not ${quote(value)}`);
}

function parseNumber(key: string, value: string): number {
  if (/^[0-9]{1,15}$/.test(value)) return Number(value);
  throw new DiskError('ERR_ARGUMENT', `${key} is a number, not ${quote(value)}`);
}
