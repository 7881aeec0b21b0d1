import type { ImageOption, OptionSchema } from '@diskstack/core';
import type { OptionType } from '@diskstack/core/format';

/** The types in the words of qemu-img. */
const WORDS: Readonly<Partial<Record<OptionType, string>>> = {
  flag: 'bool (on/off)',
  number: 'num',
  size: 'size',
  'virtual-size': 'size',
};
const COLUMN = 22;

/** The list of `-o help`, as in qemu-img: the options of the format, and of its file when the name of that is given. */
export function optionHelp(format: string, own: OptionSchema, file: OptionSchema | undefined): string {
  const title = file === undefined ? `Supported ${format} options:` : 'Supported options:';
  const more =
    file === undefined
      ? [
          '',
          'The protocol level may support further options.',
          'Specify the target filename to include those options.',
        ]
      : [];
  return textOf([title, ...linesOf({ ...file, ...own }), ...more]);
}

/** The list of `amend -o help`. */
export function amendHelp(format: string, options: OptionSchema): string {
  return textOf([`Amend options for '${format}':`, ...linesOf(options)]);
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function linesOf(schema: OptionSchema): readonly string[] {
  const names = Object.keys(schema).sort();
  return names.map((name) => lineOf(name, schema[name] as ImageOption));
}

function lineOf(name: string, { type, help }: ImageOption): string {
  return `  ${`${name}=<${WORDS[type] ?? 'str'}>`.padEnd(COLUMN)} - ${help}`;
}

/** Whether the arguments of a command ask for that list: `-o help` or `-o ?`, alone or among other keys. */
export function asksForOptionHelp(args: readonly string[]): boolean {
  return args.some((arg, index) => {
    const [, attached] = /^(?:-o|--options?=)(.+)$/s.exec(arg) ?? [];
    const before = args[index - 1] ?? '';
    const value = attached ?? (/^(?:-o|--options?)$/.test(before) ? arg : '');
    return value.split(',').some((part) => part === 'help' || part === '?');
  });
}
