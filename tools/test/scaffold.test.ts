import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scaffold } from '../scaffold/scaffold.ts';
import type { Kind } from '../scaffold/templates.ts';

const ROOT = join(import.meta.dirname, '../..');
const BIN = join(ROOT, 'node_modules/.bin');
const KINDS = ['format', 'driver', 'layout'] as const satisfies readonly Kind[];
const NAMES: Readonly<Record<Kind, string>> = { format: 'my-format', driver: 'mydrv2', layout: 'my-layout' };

/** A workspace with the files that a scaffold reads and changes; the packages of this repository are linked into it. */
const workspace = mkdtempSync(join(tmpdir(), 'diskstack-scaffold-'));
afterAll(() => rmSync(workspace, { recursive: true }));

const inside = (kind: Kind): string => join(workspace, 'packages', NAMES[kind]);
const outside = (kind: Kind): string => join(workspace, 'outside', NAMES[kind]);
const folders = KINDS.flatMap((kind) => [inside(kind), outside(kind)]);

beforeAll(() => {
  for (const path of [
    ...['package.json', 'pnpm-workspace.yaml', 'tsconfig.json', 'tsconfig.base.json', 'tsconfig.build.json'],
    ...['raw', 'core', 'cli'].flatMap((name) =>
      ['package.json', 'tsconfig.build.json'].map((file) => `packages/${name}/${file}`),
    ),
  ])
    cpSync(join(ROOT, path), join(workspace, path));
  mkdirSync(join(workspace, 'node_modules/@diskstack'), { recursive: true });
  symlinkSync(join(ROOT, 'packages/core'), join(workspace, 'node_modules/@diskstack/core'));
  for (const name of ['vitest', '@types'])
    symlinkSync(join(ROOT, 'node_modules', name), join(workspace, 'node_modules', name));
  const conditions = `conditions: ['@diskstack/source', 'module', 'node', 'development|production']`;
  writeFileSync(
    join(workspace, 'vitest.config.mjs'),
    `export default { resolve: { ${conditions} }, ssr: { resolve: { ${conditions} } } };\n`,
  );
  for (const kind of KINDS) {
    scaffold(kind, NAMES[kind], { workspace });
    scaffold(kind, NAMES[kind], { workspace, outside: outside(kind) });
  }
});

/** Title of each test, with whether it passes. */
function runTests(): ReadonlyMap<string, boolean> {
  const report = join(workspace, 'report.json');
  const args = ['run', '--root', workspace, '--no-isolate', '--reporter', 'json', '--outputFile', report];
  const { stderr } = spawnSync(join(BIN, 'vitest'), args, { cwd: workspace, encoding: 'utf8' });
  if (!existsSync(report)) throw new Error(stderr);
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    testResults: { name: string; assertionResults: { fullName: string; status: string }[] }[];
  };
  return new Map(
    testResults.flatMap(({ name, assertionResults }) =>
      assertionResults
        .filter(({ status }) => status !== 'pending' && status !== 'skipped')
        .map(({ fullName, status }) => [`${name}: ${fullName}`, status === 'passed'] as const),
    ),
  );
}

function failing(results: ReadonlyMap<string, boolean>, folder: string): readonly string[] {
  return [...results]
    .filter(([title, passes]) => title.startsWith(`${folder}/`) && !passes)
    .map(([title]) => title.slice(folder.length + 1));
}

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  expect(text).toContain(from);
  writeFileSync(file, text.replace(from, to));
}

/** What the author of a package writes first, for the images of its test. */
const FINISH: Readonly<Record<Kind, (folder: string) => void>> = {
  format(folder) {
    const load = join(folder, 'src/load.ts');
    edit(load, 'translate(_offset,', 'translate(offset,');
    edit(load, 'extents.zero(length);', 'extents.data(length, HEADER.size + offset);');
  },
  driver(folder) {
    const client = join(folder, 'src/client.ts');
    writeFileSync(
      client,
      readFileSync(client, 'utf8').replace(/export const client[\s\S]*$/, '') +
        `import { pattern } from '@diskstack/core/testing';\nconst bytes = pattern(256 * 1024);\n` +
        `export const client: Client = {\n  size: async () => bytes.length,\n` +
        `  read: async (_location, offset, into) => into.set(bytes.subarray(offset, offset + into.length)),\n};\n`,
    );
  },
  layout(folder) {
    const entries = join(folder, 'src/entries.ts');
    edit(entries, 'import type', `import { ENTRY, TABLE } from './layout/table.ts';\nimport type`);
    edit(entries, '_disk: DiskModule', 'disk: DiskModule');
    edit(entries, 'return [];', 'return [ENTRY.decode(await disk.read(TABLE.size, ENTRY.size))];');
  },
};

const UNFINISHED: Readonly<Record<Kind, RegExp>> = {
  format: /^test\/conformance\.test\.ts: /,
  driver: /^test\/driver\.test\.ts: an object of a real server is read$/,
  layout: /^test\/layout\.test\.ts: the volume of an entry is listed/,
};

describe('a new package', () => {
  test('compiles, tests included', () => {
    for (const folder of ['packages', 'outside']) {
      const config = join(workspace, folder, 'tsconfig.json');
      const base = folder === 'packages' ? '../tsconfig.json' : `./${NAMES.format}/tsconfig.json`;
      const include = KINDS.flatMap((kind) => [`${NAMES[kind]}/src`, `${NAMES[kind]}/test`]);
      writeFileSync(config, JSON.stringify({ extends: base, compilerOptions: { rootDir: '/' }, include }));
      const args = ['--noEmit', '--customConditions', '@diskstack/source', '-p', config];
      expect(spawnSync(join(BIN, 'tsc'), args, { encoding: 'utf8' }).stdout).toBe('');
    }
  });

  test('has tests that pass, and one subject that fails until its author writes it', () => {
    const unfinished = runTests();
    for (const kind of KINDS) {
      for (const folder of [inside(kind), outside(kind)]) {
        const titles = failing(unfinished, folder);
        expect(titles.length, folder).toBeGreaterThan(0);
        for (const title of titles) expect(title).toMatch(UNFINISHED[kind]);
        FINISH[kind](folder);
      }
    }

    const finished = runTests();
    for (const folder of folders) {
      expect(failing(finished, folder)).toEqual([]);
      expect([...finished.keys()].filter((title) => title.startsWith(`${folder}/`)).length).toBeGreaterThan(
        2,
      );
    }
  });

  test('outside is what `diskstack --plugin` loads', async () => {
    for (const kind of KINDS) {
      const plugin = await import(join(outside(kind), 'src/index.ts'));
      expect(plugin[`${kind}s`]).toHaveLength(1);
    }
    const main = join(ROOT, 'packages/cli/src/main.ts');
    const plugin = join(outside('format'), 'src/index.ts');
    const flags = ['--conditions=@diskstack/source', '--disable-warning=ExperimentalWarning'];
    if (!process.features.typescript) flags.push('--experimental-strip-types');
    const args = [...flags, main, 'formats', '--plugin', plugin];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^my-format +my-format disk images$/m);
  });

  test('outside depends on the published core, and on no path of this repository', () => {
    for (const kind of KINDS) {
      const manifest = JSON.parse(readFileSync(join(outside(kind), 'package.json'), 'utf8'));
      expect(manifest.name).toBe(`diskstack-${NAMES[kind]}`);
      expect(manifest.dependencies).toEqual({
        '@diskstack/core': expect.stringMatching(/^\^\d+\.\d+\.\d+$/),
      });
      expect(Object.values(manifest.devDependencies)).toEqual([
        expect.stringMatching(/^\d/),
        expect.stringMatching(/^\d/),
      ]);
    }
  });

  test('inside is built with the others and can be imported by the command', () => {
    const references = (path: string): readonly string[] =>
      JSON.parse(readFileSync(join(workspace, path), 'utf8')).references.map((reference: { path: string }) =>
        join(workspace, dirname(path), reference.path),
      );
    const command = JSON.parse(readFileSync(join(workspace, 'packages/cli/package.json'), 'utf8'));
    for (const kind of KINDS) {
      const config = join(inside(kind), 'tsconfig.build.json');
      expect(existsSync(config)).toBe(true);
      expect(references('tsconfig.build.json')).toContain(config);
      expect(references('packages/cli/tsconfig.build.json')).toContain(config);
      expect(command.dependencies).toHaveProperty([`@diskstack/${NAMES[kind]}`], 'workspace:^');
    }
    expect(Object.keys(command.dependencies)).toEqual(Object.keys(command.dependencies).toSorted());
  });
});

test.each([
  ['Format', 'needs lower case letters'],
  ['../up', 'needs lower case letters'],
  ['a--b', 'needs lower case letters'],
  ['raw', 'is not empty'],
])('the name %s is refused', (name, reason) => {
  expect(() => scaffold('format', name, { workspace })).toThrow(reason);
});

test.each(KINDS)('`new-%s` without a name prints its usage and fails', (kind) => {
  const script = join(ROOT, `tools/new-${kind}.ts`);
  const flags = process.features.typescript ? [] : ['--experimental-strip-types'];
  const { status, stderr } = spawnSync(process.execPath, [...flags, script], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain(`usage: pnpm new-${kind} NAME [--outside DIR]\n`);
});
