import { relative, resolve } from 'node:path';
import { exit } from 'node:process';
import { parseArgs } from 'node:util';
import { scaffold } from './scaffold.ts';
import type { Kind } from './templates.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const CALLER = process.env.INIT_CWD ?? process.cwd(); // pnpm runs scripts in the root of the repository

/** Where the command lists what it has. */
const REGISTRY: Readonly<Record<Kind, string>> = {
  format: '`formats` of packages/cli/src/session/composition-root.ts',
  driver: '`drivers` of packages/cli/src/session/composition-root.ts',
  layout: 'packages/cli/src/session/layouts.ts',
};

/** `pnpm new-format NAME [--outside DIR]`, and the same for drivers and layouts. */
export function main(kind: Kind): void {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { outside: { type: 'string' } },
    });
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) throw new Error('one NAME is needed');
    const outside = values.outside === undefined ? undefined : resolve(CALLER, values.outside);
    const folder = scaffold(kind, name, { workspace: ROOT, outside });
    console.log(
      `${relative(CALLER, folder)} is written. Next:\n${stepsOf(kind, name, outside !== undefined)}`,
    );
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}`);
    console.error(`usage: pnpm new-${kind} NAME [--outside DIR]`);
    exit(1);
  }
}

function stepsOf(kind: Kind, name: string, isOutside: boolean): string {
  const steps = isOutside
    ? [
        'npm install, then npm test: one test fails',
        'diskstack … --plugin ./dist/index.js, after npm run build',
      ]
    : [
        `pnpm install, then pnpm vitest run packages/${name}: one test fails`,
        'CONTRIBUTING.md, from the second step of the recipe on',
        `an entry in ${REGISTRY[kind]}`,
      ];
  return steps.map((step, index) => `  ${index + 1}. ${step}`).join('\n');
}
