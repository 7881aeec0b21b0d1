import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kind } from './templates.ts';

interface Manifest {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** `package.json` and `tsconfig.build.json` of a package of the workspace: those of the smallest format. */
export function manifestInside(kind: Kind, name: string, workspace: string): Record<string, string> {
  const raw = join(workspace, 'packages/raw');
  const manifest = {
    ...(JSON.parse(readFileSync(join(raw, 'package.json'), 'utf8')) as Manifest),
    name: `@diskstack/${name}`,
    description: `The ${kind} ${name} for diskstack`,
  };
  return {
    'package.json': `${JSON.stringify(manifest, null, 2)}\n`,
    'tsconfig.build.json': readFileSync(join(raw, 'tsconfig.build.json'), 'utf8'),
  };
}

/** The package is built with the others. */
export function addToWorkspace(workspace: string, name: string): void {
  addReference(join(workspace, 'tsconfig.build.json'), `packages/${name}/tsconfig.build.json`);
}

/** The command can import the package. */
export function addToCommand(workspace: string, name: string): void {
  const command = join(workspace, 'packages/cli');
  addReference(join(command, 'tsconfig.build.json'), `../${name}/tsconfig.build.json`);
  const path = join(command, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  const dependencies = Object.entries({ ...manifest.dependencies, [`@diskstack/${name}`]: 'workspace:^' });
  const sorted = Object.fromEntries(dependencies.sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(path, `${JSON.stringify({ ...manifest, dependencies: sorted }, null, 2)}\n`);
}

/** Adds a project reference at the end of the list, as text: the rest of the file keeps its form. */
function addReference(file: string, path: string): void {
  const text = readFileSync(file, 'utf8');
  const end = text.lastIndexOf('\n  ]');
  if (end < 0) throw new Error(`${file} has no list of references`);
  writeFileSync(file, `${text.slice(0, end)},\n    { "path": "${path}" }${text.slice(end)}`);
}
