import { defineCommand } from '../command-line/define-command.ts';
import type { PluginFlags } from '../options/plugin-option.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { pluginsOf } from '../session/session-plugins.ts';
import { print, printJson } from '../terminal/stdout.ts';

interface FormatsFlags extends OutputFlags, PluginFlags {}

export const command = defineCommand<FormatsFlags>({
  name: 'formats',
  summary: 'list the formats that can be opened',
  options: [outputOption()],
  opensImages: false,
  run: formats,
});

/** `diskstack formats` */
async function formats(flags: FormatsFlags): Promise<void> {
  const { compose } = await import('../session/composition-root.ts');
  const known = compose({ plugins: await pluginsOf(flags) })
    .disks.registry.formats.map(({ name, title }) => ({ name, title }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (flags.output === 'json') return printJson(known);
  const width = Math.max(...known.map(({ name }) => name.length));
  for (const { name, title } of known) await print(`${name.padEnd(width)}  ${title}\n`);
}
