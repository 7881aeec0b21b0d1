import { DiskError, quote } from '@diskstack/core';
import { Failure, reportFailure } from '../terminal/failure.ts';
import { importPlugin } from './import-plugin.ts';
import { KINDS, membersOf, namesOf, wordOf } from './plugin-members.ts';
import type { Plugins, TakenNames } from './plugins.ts';

/** Loads plugins in their order. One that is given twice is loaded once. */
export async function loadPlugins(
  plugins: readonly string[],
  folder: string,
  taken: TakenNames,
): Promise<Plugins> {
  const loaded = new Map<object, string>();
  for (const plugin of plugins) {
    if (plugin === '')
      throw new DiskError('ERR_ARGUMENT', '--plugin takes the name of a package or of a file');
    const module = await neverSilent(plugin, () => importPlugin(plugin, folder));
    if (!loaded.has(module)) loaded.set(module, plugin);
  }
  const all: Plugins[] = [];
  const names = new Set(KINDS.flatMap((kind) => taken[kind].map((name) => keyOf(kind, name))));
  for (const [module, plugin] of loaded) {
    const members = membersOf(module as Readonly<Record<string, unknown>>, plugin);
    for (const kind of KINDS) {
      for (const member of members[kind]) {
        const own = namesOf(kind, member);
        for (const name of own) {
          if (!names.has(keyOf(kind, name))) continue;
          throw new DiskError(
            'ERR_ARGUMENT',
            `the plugin ${quote(plugin)} exports the ${wordOf(kind)} ${quote(name)}, and the name is taken`,
          );
        }
        for (const name of own) names.add(keyOf(kind, name));
      }
    }
    all.push(members);
  }
  return {
    formats: all.flatMap(({ formats }) => formats),
    drivers: all.flatMap(({ drivers }) => drivers),
    layouts: all.flatMap(({ layouts }) => layouts),
  };
}

function keyOf(kind: keyof Plugins, name: string): string {
  return `${kind} ${name}`;
}

/** Node ends a process without a word when all that is left is a module that waits forever. */
async function neverSilent<T>(plugin: string, load: () => Promise<T>): Promise<T> {
  const onExit = (): void => {
    reportFailure(
      new Failure(new DiskError('ERR_ARGUMENT', `the plugin ${quote(plugin)} never finishes loading`)),
    );
    process.exitCode = 1;
  };
  process.once('exit', onExit);
  try {
    return await load();
  } finally {
    process.off('exit', onExit);
  }
}
