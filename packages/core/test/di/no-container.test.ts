import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** Every module that a program of these imports loads, in a process of its own. */
function loadedBy(...specifiers: readonly string[]): string[] {
  const program = `
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve(specifier, context, next) {
        const found = next(specifier, context);
        console.log(found.url);
        return found;
      },
    });
    for (const specifier of ${JSON.stringify(specifiers)}) await import(specifier);
  `;
  const options = ['--conditions=@diskstack/source', '--experimental-strip-types', '--no-warnings'];
  const cwd = new URL('../..', import.meta.url); // a package may name itself
  return execFileSync(process.execPath, [...options, '--input-type=module', '--eval', program], {
    cwd,
    encoding: 'utf8',
  })
    .trim()
    .split('\n');
}

const portable = loadedBy('@diskstack/core', '@diskstack/core/di');

test('importing core and its tokens loads them from source', () => {
  expect(portable.filter((url) => url.endsWith('/core/src/di/register.ts'))).not.toEqual([]);
  expect(portable.filter((url) => url.endsWith('/core/src/disks.ts'))).not.toEqual([]);
});

test.for(['tsyringe', 'reflect-metadata'])('importing core and its tokens does not load %s', (name) => {
  expect(portable.filter((url) => url.includes(name))).toEqual([]);
});

test('importing core and its tokens loads nothing of Node', () => {
  expect(portable.filter((url) => url.startsWith('node:') && url !== 'node:module')).toEqual([]);
});

test('the check of loaded modules finds Node modules that are used', () => {
  const urls = loadedBy('@diskstack/core/node');
  expect(urls).toContain('node:fs');
  expect(urls.filter((url) => url.includes('tsyringe'))).toEqual([]);
});
