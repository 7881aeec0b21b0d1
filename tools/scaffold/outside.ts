import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kind } from './templates.ts';

interface Manifest {
  readonly version: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const STRICT = {
  target: 'es2023',
  lib: ['es2024', 'esnext.disposable', 'webworker'],
  types: [],
  module: 'nodenext',
  moduleDetection: 'force',
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  erasableSyntaxOnly: true,
  rewriteRelativeImportExtensions: true,
  skipLibCheck: true,
};

/** What a package needs beside its sources and tests to be built, tested and published alone. */
export function standAloneFiles(kind: Kind, name: string, workspace: string): Record<string, string> {
  const core = readManifest(join(workspace, 'packages/core/package.json'));
  const { devDependencies, engines } = readManifest(join(workspace, 'package.json'));
  const vitest = /^ {2}vitest: (.+)$/m.exec(
    readFileSync(join(workspace, 'pnpm-workspace.yaml'), 'utf8'),
  )?.[1];
  const manifest = {
    name: `diskstack-${name}`,
    version: '0.1.0',
    description: `The ${kind} ${name} for diskstack`,
    type: 'module',
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
    files: ['dist'],
    sideEffects: false,
    engines,
    scripts: {
      build: 'tsc --project tsconfig.build.json',
      typecheck: 'tsc --noEmit',
      test: 'vitest run',
      prepack: 'npm run build',
    },
    dependencies: { '@diskstack/core': `^${core.version}` },
    devDependencies: { typescript: devDependencies.typescript, vitest },
  };
  return {
    'package.json': json(manifest),
    'tsconfig.json': json({ compilerOptions: STRICT, include: ['src', 'test'] }),
    'tsconfig.build.json': json({
      extends: './tsconfig.json',
      compilerOptions: { rootDir: 'src', outDir: 'dist', declaration: true },
      include: ['src'],
    }),
    '.gitignore': 'dist\nnode_modules\n',
    'README.md': readme(kind, name),
  };
}

function readme(kind: Kind, name: string): string {
  return `# diskstack-${name}

The ${kind} ${name}, a plugin for diskstack.

    npm install
    npm test
    npm run build
    diskstack formats --plugin ./dist/index.js

A program registers it by \`createDisks({ ${kind}s })\`, with the list \`${kind}s\` that this package exports.
`;
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
