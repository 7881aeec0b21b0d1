import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a new package brings. */
export type Kind = 'format' | 'driver' | 'layout';

const TEMPLATES = join(import.meta.dirname, 'templates');

/** Sources and tests. The templates are a package that compiles: its name is `the-name`. */
export function templateFiles(kind: Kind, name: string): Record<string, string> {
  const identifier = name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const folder = join(TEMPLATES, kind);
  const files: Record<string, string> = {};
  for (const path of globSync('**/*.ts', { cwd: folder })) {
    files[path] = readFileSync(join(folder, path), 'utf8')
      .replaceAll('the-name', name)
      .replaceAll('THE-NAME', name.toUpperCase())
      .replaceAll('theName', identifier);
  }
  return files;
}
