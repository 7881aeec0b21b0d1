import type {
  ImageOption,
  OptionSchema,
  OptionType,
  OptionValue,
  OptionValues,
  ValuesOf,
} from '../contracts/image-options.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';

const TYPES: Readonly<Record<OptionType, string>> = {
  text: 'a string',
  flag: 'a boolean',
  number: 'a number',
  size: 'a number',
  file: 'a string',
  secret: 'bytes',
  'virtual-size': 'a number',
  'backing-file': 'a string',
  'backing-format': 'a string',
};

/**
 * Checks values against the schema of a format. Returns the values, with each alias of a choice replaced by the
 * choice. `ERR_ARGUMENT` for an option that the format does not have, a value of the wrong type, and a value that is
 * not one of the choices.
 */
export function checkOptions<S extends OptionSchema>(
  format: string,
  schema: S,
  values: OptionValues,
): ValuesOf<S> {
  const checked: Record<string, OptionValue> = {};
  for (const [name, value] of Object.entries(values)) {
    const option = Object.hasOwn(schema, name) ? schema[name] : undefined;
    if (option === undefined) throw unknownOption(format, name, schema);
    if (value !== undefined) checked[name] = checkedValue(name, option, value);
  }
  return checked as ValuesOf<S>;
}

/** Makes the error for an option name that the schema does not have. */
export function unknownOption(format: string, name: string, schema: OptionSchema): DiskError {
  const known = Object.keys(schema).sort().join(', ');
  return new DiskError(
    'ERR_ARGUMENT',
    `${format} has no option ${quote(name)}; there are ${known || 'none'}`,
  );
}

function checkedValue(
  name: string,
  { type, choices, aliases = {} }: ImageOption,
  value: OptionValue,
): OptionValue {
  const wanted = TYPES[type];
  const given = value instanceof Uint8Array ? 'bytes' : `a ${typeof value}`;
  if (given !== wanted) throw new DiskError('ERR_ARGUMENT', `${name} is ${wanted}, not ${given}`);
  if (typeof value === 'number' && (!Number.isSafeInteger(value) || value < 0))
    throw new DiskError('ERR_ARGUMENT', `${name} is a whole number of 0 or more, not ${value}`);
  if (choices === undefined || typeof value !== 'string') return value;
  const choice = Object.hasOwn(aliases, value) ? aliases[value] : value;
  if (choice !== undefined && choices.includes(choice)) return choice;
  throw new DiskError('ERR_ARGUMENT', `${name} is ${wordsOf(choices)}, not ${quote(value)}`);
}

/** `a`, `a or b`, `a, b or c`. */
function wordsOf(choices: readonly string[]): string {
  return [choices.slice(0, -1).join(', '), choices.at(-1)].filter((part) => part !== '').join(' or ');
}
