import type { OutputFlags } from '../options/open-options.ts';
import { compose } from '../session/composition-root.ts';
import { print, printJson } from '../terminal/stdout.ts';

/** `diskstack formats` */
export async function formats({ output }: OutputFlags): Promise<void> {
  const known = compose()
    .disks.registry.formats.map(({ name, title }) => ({ name, title }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (output === 'json') return printJson(known);
  const width = Math.max(...known.map(({ name }) => name.length));
  for (const { name, title } of known) await print(`${name.padEnd(width)}  ${title}\n`);
}
