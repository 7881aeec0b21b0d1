import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildProgram } from '../../src/program.ts';
import { describeWithQemu } from '../support/qemu.ts';

interface Row {
  readonly names: readonly string[];
  readonly since: string;
  readonly here: string;
  readonly how: string;
}

const document = readFileSync(new URL('../../../../docs/qemu-img.md', import.meta.url), 'utf8');
const STANDARD = 'Standard options';

/** The rows of each section, by its title. */
const sections = new Map<string, readonly Row[]>(
  document
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [title = '', ...lines] = section.split('\n');
      const rows = lines
        .filter((line) => line.startsWith('| `'))
        .map((line) => {
          const [names = '', since = '', here = '', how = ''] = line
            .split('|')
            .slice(1)
            .map((cell) => cell.trim());
          return { names: [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name), since, here, how };
        });
      return [title, rows] as const;
    }),
);

/** The options that our command takes, hidden ones included. */
async function optionsOf(name: string): Promise<ReadonlySet<string> | undefined> {
  const { commands } = await buildProgram([name]);
  const command = commands.find((one) => one.name() === name);
  if (command === undefined) return undefined;
  return new Set(
    command.options.flatMap(({ short, long }) => [short, long].filter((text) => text !== undefined)),
  );
}

describeWithQemu('docs/qemu-img.md has all of the installed qemu-img', () => {
  const help = spawnSync('qemu-img', ['--help'], { encoding: 'utf8' }).stdout;
  const usages = [...help.matchAll(/^ {2}([a-z]+) (\(?[-[].*)$/gm)].map(([, name = '', usage = '']) => ({
    name,
    usage,
  }));
  const optionsIn = (usage: string): readonly string[] => [
    ...[...usage.matchAll(/(?<![\w-])--?[a-zA-Z][\w-]*/g)].map(([option]) => option),
    ...[...usage.matchAll(/(?<![\w-])[a-z]+=(?=[a-z_]+)/g)].map(([operand]) => operand),
  ];

  test('the help is understood', () => {
    expect(usages.length).toBeGreaterThan(10);
    expect(optionsIn('[--output=ofmt] [-r [leaks | all]] bs=block_size file')).toEqual([
      '--output',
      '-r',
      'bs=',
    ]);
  });

  test.each(usages)('$name', ({ name, usage }) => {
    const names = sections.get(name)?.flatMap((row) => row.names) ?? [];
    expect(names.length).toBeGreaterThan(0);
    for (const option of optionsIn(usage)) expect(names).toContain(option);
  });

  test('standard options', () => {
    const names = sections.get(STANDARD)?.flatMap((row) => row.names) ?? [];
    for (const [, short = '', long = ''] of help.matchAll(/^ {4}'(-\w)', '(--\w+)'/gm)) {
      expect(names).toContain(short);
      expect(names).toContain(long);
    }
  });
});

test.each([...sections].flatMap(([name, rows]) => rows.map((row) => ({ name, ...row }))))(
  '$name $names says something that can be known',
  ({ since, here, how }) => {
    expect(since).toMatch(/^\d+\.\d$/);
    expect(['same', 'differs', 'not planned']).toContain(here);
    if (here !== 'same') expect(how).not.toBe('');
  },
);

test.each([...sections.keys()].filter((name) => name !== STANDARD))(
  'what is written as taken, %s takes',
  async (name) => {
    const rows = sections.get(name) ?? [];
    const taken = rows.filter(({ here }) => here !== 'not planned');
    const own = await optionsOf(name);
    for (const option of taken.flatMap(({ names }) => names)) {
      if (!option.startsWith('-')) continue;
      expect([...(own ?? [])]).toContain(option);
    }
    for (const option of rows.filter(({ here }) => here === 'not planned').flatMap(({ names }) => names))
      expect([...(own ?? [])]).not.toContain(option);
  },
);
