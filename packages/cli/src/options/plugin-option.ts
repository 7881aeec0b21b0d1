import { delimiter } from 'node:path';
import type { Option } from 'commander';
import { repeatable } from './repeatable.ts';

export interface PluginFlags {
  readonly plugin?: readonly string[];
}

/** Taken before and after the name of a command. */
export function pluginOption(): Option {
  return repeatable(
    '--plugin <package|file>',
    'an ES module with formats, storage drivers or volume layouts of your own (repeatable); the variable DISKSTACK_PLUGINS lists more',
  );
}

/** The plugins of the environment, then those of the command line. */
export function declaredPlugins({ plugin = [] }: PluginFlags): readonly string[] {
  const inherited = process.env.DISKSTACK_PLUGINS ?? '';
  return [...inherited.split(delimiter).filter((name) => name !== ''), ...plugin];
}

/** The arguments from the name of the command on. */
export function withoutLeadingPlugins(args: readonly string[]): readonly string[] {
  const [first, ...rest] = args;
  if (first === '--plugin') return withoutLeadingPlugins(rest.slice(1));
  return first?.startsWith('--plugin=') ? withoutLeadingPlugins(rest) : args;
}
