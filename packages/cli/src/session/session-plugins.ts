import { declaredPlugins, type PluginFlags } from '../options/plugin-option.ts';
import type { Plugins } from '../plugins/plugins.ts';

/** The plugins of a command. Without any nothing is loaded. */
export async function pluginsOf(flags: PluginFlags): Promise<Plugins | undefined> {
  const declared = declaredPlugins(flags);
  if (declared.length === 0) return undefined;
  const [{ loadPlugins }, { formats }, { layouts }] = await Promise.all([
    import('../plugins/load-plugins.ts'),
    import('./composition-root.ts'),
    import('./layouts.ts'),
  ]);
  return loadPlugins(declared, process.cwd(), {
    formats: formats.map(({ name }) => name),
    drivers: ['file', 'json'], // `json:` begins the description of an image
    layouts: layouts.map(({ name }) => name),
  });
}
