/**
 * The type of an option: its value, and how a program handles it.
 *
 * | type | value | the program |
 * | --- | --- | --- |
 * | `text` | string | passes it on |
 * | `flag` | boolean | passes it on |
 * | `number` | an integer | passes it on |
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

/** One option, for creating an image or for changing an existing one. */
export interface ImageOption {
  readonly type: OptionType;
  /** One line for people. */
  readonly help: string;
  /** The allowed values of a `text` option. */
  readonly choices?: readonly string[];
  /** Other spellings of `choices`, each with the choice that it means. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** The value if the option is absent. Programs show it. */
  readonly default?: string | number | boolean;
}

/** Options by name. Programs show them in this order. */
export type OptionSchema = Readonly<Record<string, ImageOption>>;

export type OptionValue = string | number | boolean | Uint8Array;

/** Option values by name. */
export type OptionValues = Readonly<Record<string, OptionValue | undefined>>;

/** The values of the options of a schema, each with its type. */
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
