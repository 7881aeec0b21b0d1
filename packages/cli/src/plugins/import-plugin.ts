import { statSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { DiskError, quote } from '@diskstack/core';

/** The module that packages are imported from, as Node sees it. There is no such file. */
const IMPORTER = 'diskstack-plugins.js';

type Module = Readonly<Record<string, unknown>>;

/** Imports a plugin, as a module in `folder` would: a file, or a package that is installed there. */
export async function importPlugin(plugin: string, folder: string): Promise<Module> {
  const file = fileOf(plugin, folder);
  if (file !== undefined && !isFile(file))
    throw new DiskError('ERR_NOT_FOUND', `the plugin ${quote(plugin)} is not there: no file ${quote(file)}`);
  const importer = join(folder, IMPORTER);
  try {
    return await (file === undefined ? importFrom(importer, plugin) : import(pathToFileURL(file).href));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (reason.includes(importer))
      throw new DiskError(
        'ERR_NOT_FOUND',
        `the plugin ${quote(plugin)} is not a file, and not a package that ${quote(folder)} can import`,
        { cause },
      );
    throw new DiskError('ERR_ARGUMENT', `the plugin ${quote(plugin)} fails to load: ${reason}`, { cause });
  }
}

/**
 * `import(specifier)`, as the module at another path would call it: Node looks for packages from there on, by the conditions of
 * `import`. `createRequire` resolves by those of `require`, which packages of ES modules need not have.
 */
async function importFrom(importer: string, specifier: string): Promise<Module> {
  let isFirst = true;
  const hooks = registerHooks({
    resolve(name, context, next) {
      if (!isFirst || name !== specifier) return next(name, context);
      isFirst = false; // the package may import itself
      return next(name, { ...context, parentURL: pathToFileURL(importer).href });
    },
  });
  try {
    return await import(specifier);
  } finally {
    hooks.deregister();
  }
}

/** The path of a plugin that is a file: a path by its form, or the name of a file that is there. */
function fileOf(plugin: string, folder: string): string | undefined {
  if (plugin.startsWith('file://')) return fileURLToPath(plugin);
  const path = resolve(folder, plugin);
  return isAbsolute(plugin) || /^\.\.?(?:[/\\]|$)/.test(plugin) || isFile(path) ? path : undefined;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
