import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addToCommand, addToWorkspace, manifestInside } from './inside.ts';
import { standAloneFiles } from './outside.ts';
import { type Kind, templateFiles } from './templates.ts';

/** Where a new package goes. */
export interface Place {
  /** The root of this repository. Its `packages/` gets the package, unless `outside` is given. */
  readonly workspace: string;
  /** A folder for a package that stands alone. It is made, or is empty. */
  readonly outside?: string | undefined;
}

/** Names of packages: `my-format`, `vhd2`. */
const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** Writes the package of a new format, driver or layout. Returns its folder. */
export function scaffold(kind: Kind, name: string, { workspace, outside }: Place): string {
  if (!NAME.test(name)) throw new Error(`the name "${name}" needs lower case letters, digits, single dashes`);
  const folder = outside ?? join(workspace, 'packages', name);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new Error(`the folder ${folder} is not empty`);
  const files = {
    ...templateFiles(kind, name),
    ...(outside === undefined
      ? manifestInside(kind, name, workspace)
      : standAloneFiles(kind, name, workspace)),
  };
  for (const [path, content] of Object.entries(files)) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
  if (outside === undefined) {
    addToWorkspace(workspace, name);
    addToCommand(workspace, name);
  }
  return folder;
}
