import { type Command, Option } from 'commander';

/** Adds the names that qemu-img 10.1 has for options with other names here. The help does not list them. */
export function addQemuNames(command: Command, names: Readonly<Record<string, string>>): void {
  const own = (name: string): Option | undefined =>
    command.options.find(({ short, long }) => short === name || long === name);
  for (const [name, meant] of Object.entries(names)) {
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
