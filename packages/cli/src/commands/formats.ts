import { defineCommand } from '../command-line/define-command.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { print, printJson } from '../terminal/stdout.ts';

export const command = defineCommand<OutputFlags>({
  name: 'formats',
  summary: 'the formats that can be opened',
  options: [outputOption()],
  opensImages: false,
  run: formats,
});

/** `diskstack formats` */
async function formats({ output }: OutputFlags): Promise<void> {
  const { compose } = await import('../session/composition-root.ts');
  const known = compose()
    .disks.registry.formats.map(({ name, title }) => ({ name, title }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (output === 'json') return printJson(known);
  const width = Math.max(...known.map(({ name }) => name.length));
  for (const { name, title } of known) await print(`${name.padEnd(width)}  ${title}\n`);
}
