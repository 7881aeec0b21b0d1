import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { PASSPHRASE } from '../support/qemu.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';
import {
  commandsOf,
  type DocumentedProgram,
  type Fence,
  fencesOf,
  programsOf,
  promisedValues,
} from './fences.ts';

// Every fenced block of the documents: programs are compiled and run, commands are run, what is shown of either is compared.
const root = fileURLToPath(new URL('../../../../', import.meta.url));
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const fences = documents.flatMap((name) => fencesOf(name, readFileSync(join(root, name), 'utf8')));

/** How a block of each language may be marked. */
const MARKERS: Readonly<Record<string, readonly string[]>> = {
  ts: ['', 'continues', 'sketch'],
  console: ['', 'setup', 'sketch'],
  text: [''],
};

test.each(fences)('$document:$line has a language and a marker that are tested', ({ language, marker }) => {
  expect(Object.keys(MARKERS)).toContain(language);
  expect(MARKERS[language]).toContain(marker);
});

const folder = tempFolder();
const node = ['--conditions=@diskstack/source', '--disable-warning=ExperimentalWarning'];
if (!process.features.typescript) node.push('--experimental-strip-types');

/** Modules that programs of the documents take from their reader. */
const READERS_OWN = {
  'block-map.ts': `import type { DiskModule, Io } from '@diskstack/core';
export declare function readBlockMap(disk: DiskModule, size: number, blockSize: number, io: Io): Promise<void>;
`,
  'appliance.ts': `import type { VolumeManager } from '@diskstack/core/volumes';
export declare const appliance: VolumeManager;
`,
};

/** A copy of what the documents speak of: the examples, and images of the names that they use. */
function prepare(): void {
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'tmp'));
  const main = join(root, 'packages/cli/src/main.ts');
  writeFileSync(
    join(folder, 'bin/diskstack'),
    `#!/bin/sh\nexec "${process.execPath}" ${node.join(' ')} "${main}" "$@"\n`,
  );
  chmodSync(join(folder, 'bin/diskstack'), 0o755);
  symlinkSync(join(root, 'packages/cli/node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'work'));
  symlinkSync(join(folder, 'node_modules'), join(folder, 'work/node_modules'));
  cpSync(join(root, 'examples/images'), join(folder, 'work/examples/images'), { recursive: true });
  writeFileSync(join(folder, 'work/package.json'), '{ "type": "module" }\n');
  const fixtures = join(root, 'packages/partition/test/fixtures/partitions/disks.tar.gz');
  spawnSync('tar', ['xzf', fixtures, '-C', join(folder, 'tmp'), 'hybrid.img']);
  cpSync(join(folder, 'tmp/hybrid.img'), join(folder, 'work/disk.img'));
  for (const [name, text] of Object.entries(READERS_OWN)) writeFileSync(join(folder, 'work', name), text);
  writeFileSync(join(folder, 'work/bytes'), new Uint8Array(1000).fill(7));
}

prepare();

async function makeImages(): Promise<void> {
  const at = (name: string): string => join(folder, 'work', name);
  process.env.PASSPHRASE = PASSPHRASE;
  for (const args of [
    ['create', '-q', '-f', 'qcow2', at('base.qcow2'), '4M'],
    ['create', '-q', '-f', 'qcow2', at('other.qcow2'), '4M'],
    ['create', '-q', '-f', 'raw', at('disk.raw'), '4M'],
    [
      'create',
      '-q',
      '-f',
      'qcow2',
      '--secret',
      'env=PASSPHRASE',
      '-o',
      'encrypt.format=luks,encrypt.iter-time=10',
      at('luks.qcow2'),
      '1M',
    ],
    ['snapshot', '-c', 'before-update', at('luks.qcow2')],
  ]) {
    const { status, stderr } = await runHere(...args);
    if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  }
}

const programs = programsOf(fences);

describe('programs', () => {
  const fileOf = (program: DocumentedProgram): string =>
    join(folder, 'work', `${program.document.replaceAll(/\W/g, '-')}-${program.line}.ts`);

  test('are right for the compiler', () => {
    for (const program of programs) writeFileSync(fileOf(program), checked(program));
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        rootDir: '/',
        noUnusedLocals: false,
        noUnusedParameters: false,
        typeRoots: [join(root, 'node_modules/@types')],
      },
      include: [join(folder, 'work/*.ts')],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const { stdout, status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  test.each(programs.filter(({ isSketch }) => !isSketch))(
    '$document:$line runs, and values are as it says',
    (program) => {
      writeFileSync(fileOf(program), checked(program));
      const run = spawnSync(process.execPath, [...node, fileOf(program)], {
        cwd: join(folder, 'work'),
        encoding: 'utf8',
      });
      expect(run.stderr).toBe('');
      expect(run.status).toBe(0);
    },
  );

  test('promised values are found', () => {
    expect(
      promisedValues(
        'const a = 1; // 1\nconst bytes = f(); // Uint8Array [1, 2]\nconst c = 2; // see below\n',
      ),
    ).toEqual([
      { name: 'a', value: '1' },
      { name: 'bytes', value: 'Uint8Array [1, 2]' },
    ]);
    expect(programs.flatMap(({ text }) => promisedValues(text)).length).toBeGreaterThan(0);
  });

  /** The program, and after it a comparison of each value that a comment promises. */
  function checked({ text, isSketch }: DocumentedProgram): string {
    if (isSketch) return text;
    const checks = promisedValues(text).map(
      ({ name, value }) =>
        `if (plainly(inspect(${name})) !== plainly(${JSON.stringify(value)})) throw new Error('${name} is ' + inspect(${name}));\n`,
    );
    const helper = `const plainly = (text: string): string => text.replace(/\\(\\d+\\)|\\s|_/g, '');\n`;
    return `import { inspect } from 'node:util';\n${text}${checks.length === 0 ? '' : helper}${checks.join('')}`;
  }
});

describe('commands', () => {
  const blocks = fences.filter(({ language }) => language === 'console');

  test.each(blocks.filter(({ marker }) => marker === ''))(
    '$document:$line',
    async ({ text }) => {
      await makeImages();
      for (const { command, shown } of commandsOf(text)) {
        const { status, stdout } = shell(command);
        expect([command, status, status === 0 ? '' : stdout]).toEqual([command, 0, '']);
        if (shown !== '') expect(trimmed(stdout)).toBe(trimmed(shown));
      }
    },
    300_000,
  ); // each command is a process

  test.each(blocks.filter(({ marker }) => marker === 'sketch'))(
    '$document:$line names commands and options that exist',
    async ({ text }) => {
      for (const { command } of commandsOf(text)) {
        const [program, name = '', ...words] = command.replace(/\s#.*$/, '').split(/\s+/);
        expect(program).toBe('diskstack');
        const help = (await runHere(name, '--help')).stdout.toString();
        expect(help).toContain(`Usage: diskstack ${name}`);
        for (const word of words.filter((text) => text.startsWith('-')))
          expect(help).toMatch(new RegExp(`(^|[\\s,])${word.replace(/=.*/, '')}\\b`));
      }
    },
  );

  function shell(command: string): { status: number | null; stdout: string } {
    const { status, stdout } = spawnSync(
      'bash',
      ['-c', `{ ${command.replaceAll('/tmp/', `${folder}/tmp/`)}\n} 2>&1`],
      {
        cwd: join(folder, 'work'),
        encoding: 'utf8',
        env: {
          ...process.env,
          PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
          PASSPHRASE,
          NODE_OPTIONS: '',
        },
      },
    );
    return { status, stdout };
  }

  function trimmed(text: string): string {
    return text.replaceAll(/[ \t]+$/gm, '').trimEnd();
  }
});

test('a block without its command, its marker or its end is found', () => {
  const broken = (text: string): readonly Fence[] => fencesOf('x.md', text);
  expect(() => broken('```ts\n')).toThrow('without an end');
  expect(broken('```ts sketch\na\n```\n')).toMatchObject([
    { line: 1, language: 'ts', marker: 'sketch', text: 'a\n' },
  ]);
  expect(() => commandsOf('output\n$ command\n')).toThrow('begins');
});
