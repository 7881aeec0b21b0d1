import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { finished, start } from '../support/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const cli = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(cli, 'bin/diskstack.js');
/** The example as it is: a module with one format. */
const tinySparse = join(cli, '../../examples/own-format/src/tiny-sparse.ts');

const folder = tempFolder();
const inFolder = (name: string): string => join(folder, name);

/** An image of the example's format: blocks of 16 bytes, of which the second is stored. */
function tinyImage(blockSize = 16): Uint8Array {
  const image = new Uint8Array(20 + 3 * 4 + 16);
  image.set(new TextEncoder().encode('TINYSPRS'));
  const view = new DataView(image.buffer);
  view.setBigUint64(8, 48n, true);
  view.setUint32(16, blockSize, true);
  view.setUint32(20 + 4, 1, true);
  image.set(new TextEncoder().encode('sixteen bytes :)'), 32);
  return image;
}

/** A storage driver and a volume layout in plain JavaScript, without a package of ours. */
const STORAGE = `
const bytes = new Uint8Array(8192).fill(0x41);
bytes.set([72, 65, 76, 86], 0);
bytes.fill(0x42, 4096);
const diskOf = (all) => {
  const disk = {
    diskType: 'MEM', blockSize: 512, writable: false,
    async init() {}, size: () => all.length,
    async read(offset, length) { return all.slice(offset, offset + length); },
    async write() { throw new Error('read-only'); }, async close() {}, getBase: () => disk,
    async [Symbol.asyncDispose]() {},
  };
  return disk;
};
export const drivers = [{
  schemes: ['mem'], resolve: (base, name) => (name.startsWith('mem:') ? name : base && 'mem:' + name), parent: (path) => path,
  open: () => diskOf(bytes), kind: async (path) => (path === 'mem:any' ? 'file' : 'missing'),
  canonical: async (path) => path, identity: async (path) => path,
}];
export const layouts = [{
  name: 'halves', title: 'two halves',
  async find([{ disk }]) {
    if (String(await disk.read(0, 4)) !== '72,65,76,86') return [];
    const half = (layer, start) => ({
      kind: 'partition', layer, type: 'half', start, size: 4096, status: 'ok',
      open: async () => diskOf((await disk.read(start, 4096))),
    });
    return [{ layout: 'halves', members: [0], volumes: [half('h1', 0), half('h2', 4096)] }];
  },
}];
`;

writeFileSync(inFolder('tiny.img'), tinyImage());
writeFileSync(inFolder('damaged.img'), tinyImage(0));
writeFileSync(inFolder('storage.mjs'), STORAGE);
mkdirSync(inFolder('elsewhere'));
mkdirSync(inFolder('node_modules/toy-formats'), { recursive: true });
writeFileSync(
  inFolder('node_modules/toy-formats/package.json'),
  '{ "name": "toy-formats", "type": "module", "exports": { "import": "./formats.js" } }',
);
writeFileSync(
  inFolder('node_modules/toy-formats/formats.js'),
  `export default { formats: [{ name: 'toy', title: 'a toy', probe: () => undefined, open: () => {} }] };`,
);

interface Where {
  readonly cwd?: string;
  readonly plugins?: readonly string[];
  readonly program?: string;
}

async function run(args: readonly string[], { cwd = folder, plugins, program }: Where = {}) {
  const before = process.env.DISKSTACK_PLUGINS;
  if (plugins !== undefined) process.env.DISKSTACK_PLUGINS = plugins.join(delimiter);
  const child = start(args, cwd, undefined, program === undefined ? {} : { program });
  if (before === undefined) delete process.env.DISKSTACK_PLUGINS;
  else process.env.DISKSTACK_PLUGINS = before;
  const { status, stdout, stderr } = await finished(child);
  return { status, stdout: stdout.toString(), stderr };
}

/** What a good run prints. */
async function printed(args: readonly string[], where?: Where): Promise<string> {
  const { status, stdout, stderr } = await run(args, where);
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return stdout;
}

describe('a format of a plugin', () => {
  test.each([
    ['before the command', ['--plugin', tinySparse, 'info', 'tiny.img']],
    ['after it', ['info', '--plugin', tinySparse, 'tiny.img']],
    ['at the end', ['info', 'tiny.img', `--plugin=${tinySparse}`]],
    ['by a path from the working folder', ['--plugin', relative(folder, tinySparse), 'info', 'tiny.img']],
  ])('is given %s', async (_, args) => {
    expect(await printed(args)).toContain('file format: tiny-sparse\n');
  });

  test('is read by the commands that open images', async () => {
    const plugin = ['--plugin', tinySparse];
    expect(await printed([...plugin, 'probe', 'tiny.img'])).toMatch(/^tiny-sparse +magic /);
    expect(await printed([...plugin, 'tree', 'tiny.img'])).toContain('tiny-sparse  48 B');
    expect(await printed([...plugin, 'read', 'tiny.img', '16', '16'])).toContain('|sixteen bytes :)|');
    await printed([...plugin, 'convert', 'tiny.img', 'tiny.raw']);
    expect(readFileSync(inFolder('tiny.raw')).toString('latin1')).toBe(
      `${'\0'.repeat(16)}sixteen bytes :)${'\0'.repeat(16)}`,
    );
    expect(await printed([...plugin, 'compare', 'tiny.img', 'tiny.raw'])).toBe('Images are identical.\n');
    const described = 'driver=tiny-sparse,file.filename=tiny.img';
    expect(await printed([...plugin, 'info', '--image-opts', described])).toContain('tiny-sparse');
  });

  test('is listed', async () => {
    expect(await printed(['formats', '--plugin', tinySparse])).toContain(
      'tiny-sparse  a small sparse format\n',
    );
    expect(await printed(['formats'])).not.toContain('tiny-sparse');
  });

  test('reports damage like a built-in one, though it imports another copy of core', async () => {
    const { status, stderr } = await run(['--plugin', tinySparse, 'info', 'damaged.img']);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'diskstack: ERR_CORRUPT: [tiny-sparse damaged.img] the block size is 0 (at byte 0x10)\n',
    });
  });
});

describe('plugins', () => {
  test('are listed in the environment, and loaded before those of the command line', async () => {
    const formats = await printed(['formats', '--plugin', tinySparse], {
      plugins: ['toy-formats', '', inFolder('storage.mjs')],
    });
    expect(formats).toContain('tiny-sparse  ');
    expect(formats).toContain('toy          a toy\n');
  });

  test('that are packages are found from the working folder, by the conditions of import', async () => {
    expect(await printed(['formats', '--plugin', 'toy-formats'])).toContain('a toy');
    const below = { cwd: inFolder('elsewhere') };
    expect(await printed(['formats', '--plugin', 'toy-formats'], below)).toContain('a toy');
    const outside = await run(['formats', '--plugin', 'toy-formats'], { cwd: cli });
    expect(outside.stderr).toMatch(/^diskstack: ERR_NOT_FOUND: the plugin "toy-formats" /);
  });

  test('that are given twice are loaded once', async () => {
    const once = ['--plugin', tinySparse, '--plugin', relative(folder, tinySparse)];
    expect(await printed([...once, 'formats'], { plugins: [tinySparse] })).toContain('tiny-sparse');
  });

  test('bring storage drivers and volume layouts', async () => {
    const plugin = ['--plugin', 'storage.mjs'];
    expect(await printed([...plugin, 'info', 'mem:any'])).toContain('virtual size: 8 KiB (8192 bytes)');
    expect(await printed([...plugin, 'tree', 'mem:any'])).toMatch(/h1 .*4 KiB.*\n.*h2 .*4 KiB/);
    expect(await printed([...plugin, 'read', 'mem:any#h2', '0', '4'])).toContain('42 42 42 42');
  });

  test('bring storages on which an overlay has its backing file', async () => {
    const [backing, allowed] = [
      ['-b', 'mem:any', '-F', 'raw'],
      ['--plugin', 'storage.mjs', '--allow-scheme', 'mem', '--allow-backing', 'mem:any'],
    ];
    const created = await printed(['create', '-f', 'qcow2', ...backing, 'over.qcow2', ...allowed]);
    expect(created).toContain('size=8192 backing_file=mem:any backing_fmt=raw');
    expect(await printed(['read', 'over.qcow2', '4096', '4', ...allowed])).toContain('42 42 42 42');
    await printed(['rebase', '-b', '', 'over.qcow2', ...allowed]);
    await printed(['rebase', ...backing, 'over.qcow2', ...allowed]);
    expect(await printed(['compare', 'over.qcow2', 'mem:any', ...allowed])).toBe('Images are identical.\n');
    const overlay = ['convert', '-O', 'qcow2', '-B', 'mem:any', '-F', 'raw', 'mem:any', 'copy.qcow2'];
    await printed([...overlay, ...allowed.slice(0, 4)]); // the folder of the base is the driver's, and needs no --allow-backing
    expect(await printed(['compare', 'copy.qcow2', 'mem:any', ...allowed])).toBe('Images are identical.\n');
    const refused = ['create', '-f', 'qcow2', ...backing, 'no.qcow2', '--plugin', 'storage.mjs'];
    expect((await run(refused)).stderr).toContain('--allow-scheme mem');
  });

  test('are in the help of the program and of each command', async () => {
    expect(await printed(['--help'])).toContain('--plugin <package|file>');
    expect(await printed(['info', '--help'])).toContain('DISKSTACK_PLUGINS');
  });

  test('are not loaded for the help', async () => {
    expect(await printed(['--plugin', './none.mjs', 'info', '--help'])).toContain('Usage: diskstack info');
  });
});

describe('a plugin that cannot be used is refused by name', () => {
  test.each([
    ['./none.mjs', undefined, /ERR_NOT_FOUND: the plugin "\.\/none\.mjs" is not there/],
    [
      'no-such-package',
      undefined,
      /ERR_NOT_FOUND: the plugin "no-such-package" is not a file, and not a package/,
    ],
    ['', undefined, /ERR_ARGUMENT: --plugin takes the name of a package or of a file/],
    ['throws.mjs', 'throw new Error("boom")', /ERR_ARGUMENT: the plugin "throws.mjs" fails to load: boom/],
    [
      'needs.mjs',
      'import "no-such-package"',
      /ERR_ARGUMENT: the plugin "needs.mjs" fails to load: Cannot find/,
    ],
    [
      'waits.mjs',
      'await new Promise(() => {})',
      /ERR_ARGUMENT: the plugin "waits.mjs" never finishes loading/,
    ],
    [
      'empty.mjs',
      'export const a = 1',
      /ERR_ARGUMENT: the plugin "empty.mjs" exports no formats, drivers or/,
    ],
    [
      'list.mjs',
      'export const formats = 3',
      /ERR_ARGUMENT: the plugin "list.mjs" exports formats that are not/,
    ],
    [
      'shape.mjs',
      'export const layouts = [{ name: "a", title: "a", find() {} }, { name: "b" }]',
      /ERR_ARGUMENT: the plugin "shape.mjs" exports no volume layout as layouts\[1\]: it has no function find/,
    ],
    [
      'null.mjs',
      'export const drivers = [null]',
      /ERR_ARGUMENT: the plugin "null.mjs" exports no storage driver as drivers\[0\]: it is null/,
    ],
    [
      'name.mjs',
      'export const formats = [{ name: "a/b", probe() {}, open() {} }]',
      /ERR_ARGUMENT: the plugin "name.mjs" exports no disk format as formats\[0\]: its name "a\/b" /,
    ],
    [
      'taken.mjs',
      'export const formats = [{ name: "raw", probe() {}, open() {} }]',
      /ERR_ARGUMENT: the plugin "taken.mjs" exports the disk format "raw", and the name is taken/,
    ],
    [
      'layout.mjs',
      'export const layouts = [{ name: "lvm2", find() {} }]',
      /ERR_ARGUMENT: the plugin "layout.mjs" exports the volume layout "lvm2", and the name is taken/,
    ],
  ])('%s: %s', async (name, source, expected) => {
    if (source !== undefined) writeFileSync(inFolder(name), source);
    const { status, stdout, stderr } = await run(['formats', '--plugin', name]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(expected);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('two plugins with one name', async () => {
    writeFileSync(inFolder('toy.mjs'), `export { default } from 'toy-formats'`);
    const { stderr } = await run(['formats', '--plugin', 'toy-formats', '--plugin', './toy.mjs']);
    expect(stderr).toMatch(
      /ERR_ARGUMENT: the plugin ".\/toy.mjs" exports the disk format "toy", and the name/,
    );
  });
});

/** The bundle is a build's output: `pnpm test` alone has none, or that of other sources. */
function isBuilt(): boolean {
  const bundle = join(cli, 'bundle/main.cjs');
  if (!existsSync(bundle)) return false;
  const builtAt = statSync(bundle).mtimeMs;
  const sources = readdirSync(join(cli, 'src'), { recursive: true, encoding: 'utf8' });
  return sources.every((name) => statSync(join(cli, 'src', name)).mtimeMs <= builtAt);
}

describe.skipIf(!isBuilt())('the built command', () => {
  test.each([
    ['a file', tinySparse, folder],
    ['a file, from another folder', tinySparse, cli],
    ['a path, from another folder', relative(inFolder('elsewhere'), tinySparse), inFolder('elsewhere')],
  ])('loads %s', async (_, plugin, cwd) => {
    const args = ['--plugin', plugin, 'info', inFolder('tiny.img')];
    expect(await printed(args, { cwd, program: bin })).toContain('file format: tiny-sparse\n');
  });

  test('loads a package', async () => {
    expect(await printed(['formats', '--plugin', 'toy-formats'], { program: bin })).toContain('a toy');
  });
});
