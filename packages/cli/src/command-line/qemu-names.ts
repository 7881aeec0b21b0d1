import { type Command, Option } from 'commander';

/** Further names that qemu-img 10.1 has for options, by the option that they mean. */
const NAMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  amend: { '--options': '-o' },
  bitmap: { '--source-file': '-b', '--source-format': '-F' },
  check: { '--cache': '-T' },
  commit: { '--base': '-b', '--drop': '-d' },
  compare: { '--a-format': '-f', '--b-format': '-F', '--cache': '-T' },
  convert: {
    '-b': '-B',
    '--copy-range-offloading': '-C',
    '--no-create': '-n',
    '--oob-writes': '-W',
    '--rate-limit': '-r',
    '--source-format': '-f',
    '--sparse-size': '-S',
    '--target-cache': '-t',
    '--target-format': '-O',
    '--target-format-options': '-o',
  },
  create: { '-B': '-F', '--backing-unsafe': '-u', '--options': '-o' },
  measure: {
    '-s': '--size',
    '--options': '-o',
    '--source-format': '-f',
    '--source-image-opts': '--image-opts',
    '--target-format': '-O',
    '--target-format-options': '-o',
  },
  rebase: { '-B': '-F', '--backing-cache': '-T', '--backing-unsafe': '-u' },
};

/** Gives the options of a command their names in qemu-img 10.1, where they have others here. The help does not list them. */
export function withQemuNames(command: Command): void {
  const own = (name: string): Option | undefined =>
    command.options.find(({ short, long }) => short === name || long === name);
  for (const [name, meant] of Object.entries(NAMES[command.name()] ?? {})) {
    const option = own(meant);
    if (option === undefined || own(name) !== undefined) continue;
    const alias = new Option(option.required ? `${name} <value>` : name).hideHelp();
    command.addOption(alias);
    command.on(`option:${alias.name()}`, (value?: string) => {
      const key = option.attributeName();
      const before: unknown = command.getOptionValue(key);
      const parsed: unknown =
        value === undefined || option.parseArg === undefined
          ? (value ?? true)
          : option.parseArg(value, before);
      command.setOptionValueWithSource(key, parsed, 'cli');
    });
  }
}
