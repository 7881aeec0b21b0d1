/**
 * What the value of an option is, and what a program does with it.
 *
 * | type | value | a program |
 * | --- | --- | --- |
 * | `text` | string | passes it on |
 * | `flag` | boolean | passes it on |
 * | `number` | a whole number | passes it on |
 * | `size` | bytes | passes it on |
 * | `file` | name of a further file that the image stores | passes it on |
 * | `secret` | bytes of a passphrase | reads it from its store of secrets |
 * | `virtual-size` | guest bytes | uses it as the size of the image |
 * | `backing-file` | name of the backing file | uses it as the backing file |
 * | `backing-format` | format of the backing file | uses it as the backing file's format |
 */
export type OptionType =
  | 'text'
  | 'flag'
  | 'number'
  | 'size'
  | 'file'
  | 'secret'
  | 'virtual-size'
  | 'backing-file'
  | 'backing-format';

/** One option of an image: of a new one, or of a change to an existing one. */
export interface ImageOption {
  readonly type: OptionType;
  /** One line for people. */
  readonly help: string;
  /** Of a text: its only values. */
  readonly choices?: readonly string[];
  /** Other spellings of choices. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** The value of an image that is made without this option. Programs show it. */
  readonly default?: string | number | boolean;
}

/** Options by their names. The order is the order in which a program shows their values. */
export type OptionSchema = Readonly<Record<string, ImageOption>>;

export type OptionValue = string | number | boolean | Uint8Array;

/** Values by the names of their options. */
export type OptionValues = Readonly<Record<string, OptionValue | undefined>>;

/** The values of a schema, with the type of each. */
export type ValuesOf<S extends OptionSchema> = string extends keyof S
  ? OptionValues
  : { readonly [Name in keyof S]?: ValueOf<S[Name]> | undefined };

type ValueOf<O extends ImageOption> = O['type'] extends 'flag'
  ? boolean
  : O['type'] extends 'number' | 'size' | 'virtual-size'
    ? number
    : O['type'] extends 'secret'
      ? Uint8Array
      : O extends { readonly choices: readonly (infer Choice)[] }
        ? Choice
        : string;
