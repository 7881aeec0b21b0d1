// `pnpm new-format NAME`: a package for one more disk format, with a failing test to begin with.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const [name = ''] = process.argv.slice(2);
if (!/^[a-z][a-z0-9-]*$/.test(name)) {
  console.error('usage: pnpm new-format NAME   (lower case letters, digits and dashes)');
  process.exit(1);
}
const folder = join(root, 'packages', name);
if (existsSync(folder)) {
  console.error(`packages/${name} exists`);
  process.exit(1);
}
const identifier = name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** The package's own description of itself, from that of the smallest format. */
function manifest(): string {
  const raw = JSON.parse(readFileSync(join(root, 'packages/raw/package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  const own = { ...raw, name: `@diskstack/${name}`, description: `${name} disk images for diskstack` };
  return `${JSON.stringify(own, null, 2)}\n`;
}

const files: Record<string, string> = {
  'package.json': manifest(),
  'tsconfig.build.json': readFileSync(join(root, 'packages/raw/tsconfig.build.json'), 'utf8'),
  'src/index.ts': `export { ${identifier} } from './format.ts';\n`,
  'src/layout/header.ts': `import { bytes, struct } from '@diskstack/core/format';

/** Name the specification and its section here. Fields in file order, with the names of the specification. */
export const HEADER = struct('little', {
  magic: bytes(8),
});
`,
  'src/load.ts': `import type { Load } from '@diskstack/core/format';
import { HEADER } from './layout/header.ts';

/** Reads and validates the metadata; answers where guest bytes are. */
export const load: Load = async (downstream, _context, io) => {
  HEADER.decode(await downstream.read(0, HEADER.size, io));
  return {
    size: 0,
    info: { format: '${name}', virtualSize: 0 },
    translate(_offset, length, extents) {
      extents.zero(length);
      return undefined;
    },
  };
};
`,
  'src/format.ts': `import { type DiskFormat, MappedDisk, magicAt } from '@diskstack/core/format';
import { load } from './load.ts';

/** One line on what the format is. */
export const ${identifier}: DiskFormat = {
  name: '${name}',
  title: '${name}',
  probe: magicAt(0, 0x00),
  open: (downstream, context) =>
    new MappedDisk({ type: '${name.toUpperCase()}', format: '${name}', downstream, ...context, load: (io) => load(downstream, context, io) }),
};
`,
  'test/conformance.test.ts': `import { createDisks } from '@diskstack/core';
import { describeDiskModule, pattern } from '@diskstack/core/testing';
import { ${identifier} } from '../src/index.ts';

// Make an image that holds the pattern with the format's own tools, and open it here.
describeDiskModule('${name}', {
  open: () => createDisks({ formats: [${identifier}] }).open(new Uint8Array(512)),
  expected: pattern(1024 * 1024),
});
`,
};
for (const [path, content] of Object.entries(files)) {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
}

const buildFile = join(root, 'tsconfig.build.json');
const build = JSON.parse(readFileSync(buildFile, 'utf8')) as { references: { path: string }[] };
build.references.push({ path: `packages/${name}/tsconfig.build.json` });
writeFileSync(buildFile, `${JSON.stringify(build, null, 2)}\n`);

console.log(`packages/${name} is there. Next:
  1. pnpm install, then pnpm vitest run packages/${name}: the test fails until the format reads
  2. src/layout: one file for each structure of the specification, with a golden test
  3. src/load.ts: validate, bound every length before it is allocated, answer translate()
  4. src/format.ts: the magic number
  5. images made by the format's own tools, compared byte for byte with another reader
  6. register it in packages/cli/src/session/composition-root.ts
  7. docs/formats.md, CHANGELOG.md`);
