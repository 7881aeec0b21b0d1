import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exit } from 'node:process';

/**
 * Writes the exports of the packages, with their types, to `api/*.txt`, so that reviews show changes of the public API. Reads the
 * built declarations. `--check` writes nothing, and fails if a report is not up to date.
 */

const ROOT = join(import.meta.dirname, '..');
const REPORTS = join(ROOT, 'api');

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | { readonly types?: string }>>;
}

/** The declaration of an exported name (a class, a function, an interface …), without comments. */
function declarationOf(file: string, name: string): string {
  const text = withoutComments(readFileSync(file, 'utf8'));
  const reexport = exportsOf(text).find((one) => one.name === name && one.from !== undefined);
  if (reexport?.from !== undefined) return declarationOf(fileOf(file, reexport.from), reexport.original);
  const start = new RegExp(
    `^(?:export )?(?:declare )?(?:abstract )?(?:class|function|interface|type|const|let) ${name}\\b`,
    'm',
  );
  const parts: string[] = [];
  for (let rest = text; ; ) {
    const found = start.exec(rest);
    if (found === null) break;
    const declaration = untilEnd(rest.slice(found.index));
    parts.push(declaration);
    rest = rest.slice(found.index + declaration.length); // a function may have several signatures
  }
  if (parts.length === 0) throw new Error(`${file} declares no ${name}`);
  return parts.join('\n');
}

/** The text from the start of a declaration to the semicolon or brace that ends it. */
function untilEnd(text: string): string {
  let depth = 0;
  for (const [index, character] of [...text].entries()) {
    if ('{(['.includes(character)) depth++;
    else if (')]'.includes(character)) depth--;
    else if (character === '}') {
      depth--;
      if (depth === 0 && /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface)/.test(text))
        return text.slice(0, index + 1);
    } else if (character === ';' && depth === 0) return text.slice(0, index + 1);
  }
  return text;
}

function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/^\s*#private;\n/gm, '')
    .replace(/^ *(?:private|protected) .*\n/gm, '')
    .replace(/\n\s*\n+/g, '\n');
}

interface Exported {
  readonly name: string;
  readonly original: string;
  readonly from: string | undefined;
}

function exportsOf(text: string): readonly Exported[] {
  const found: Exported[] = [];
  for (const [, names = '', from] of text.matchAll(/export (?:type )?\{([^}]*)\}(?: from '([^']+)')?;/g)) {
    for (const one of names.split(',')) {
      const [original = '', name = original] = one
        .trim()
        .replace(/^type /, '')
        .split(' as ');
      if (original !== '') found.push({ name, original, from });
    }
  }
  for (const [, name = ''] of text.matchAll(
    /^export (?:declare )?(?:abstract )?(?:class|function|interface|type|const|let) (\w+)/gm,
  ))
    found.push({ name, original: name, from: undefined });
  return found;
}

function fileOf(from: string, specifier: string): string {
  return join(dirname(from), specifier.replace(/\.ts$/, '.d.ts').replace(/\.js$/, '.d.ts'));
}

function reportOf(door: string, file: string): string {
  const names = [
    ...new Map(exportsOf(withoutComments(readFileSync(file, 'utf8'))).map((one) => [one.name, one])).values(),
  ];
  names.sort((a, b) => (a.name < b.name ? -1 : 1));
  const declarations = names.map(({ name, original, from }) =>
    declarationOf(
      from === undefined ? file : fileOf(file, from),
      from === undefined ? name : original,
    ).trim(),
  );
  return `${door}: ${names.length} names\n\n${declarations.join('\n\n')}\n`;
}

const isCheck = process.argv.includes('--check');
let stale = 0;
for (const path of globSync('packages/*/package.json', { cwd: ROOT }).sort()) {
  const manifest = JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as Manifest;
  for (const [door, entry] of Object.entries(manifest.exports ?? {})) {
    const types = typeof entry === 'string' ? undefined : entry.types;
    if (types === undefined) continue;
    const name = `${manifest.name}${door.slice(1)}`;
    const report = reportOf(name, join(ROOT, dirname(path), types));
    const file = join(REPORTS, `${name.replace('@diskstack/', '').replaceAll('/', '-')}.txt`);
    if (existsSync(file) && readFileSync(file, 'utf8') === report) continue;
    stale++;
    console.log(`${isCheck ? 'is out of date' : 'written'}: api/${file.slice(REPORTS.length + 1)}`);
    if (!isCheck) {
      mkdirSync(REPORTS, { recursive: true });
      writeFileSync(file, report);
    }
  }
}
if (isCheck && stale > 0) {
  console.log(
    'The public API has changed: run `pnpm api-report` to update api/. The diff shows the changes.',
  );
  exit(1);
}
