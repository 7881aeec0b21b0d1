import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../../', import.meta.url).pathname;
const images = join(root, 'examples/images');
const lun = join(root, 'packages/lvm/test/fixtures/appliance-small/lun.qcow2');

/** What qemu-img and lvm2 read from the images of the repository. */
const { content } = readJson<{ content: Record<string, string> }>(join(images, 'MANIFEST.json'));
const { checks } = readJson<{ checks: LayerCheck[] }>(join(lun, '../expected.json'));
const { version } = readJson<{ version: string }>(join(root, 'packages/cli/package.json'));

interface LayerCheck {
  readonly verb: string;
  readonly layer?: string;
  readonly pvs?: readonly string[];
  readonly expect: { readonly sha256?: string };
}

/** A plugin: loading it needs the hooks of `node:module`. */
const PLUGIN = `export const formats = [{ name: 'mine', title: 'a plugin', probe: () => undefined, open: () => {} }];\n`;

/**
 * Runs the built command on one Node: reads, tables, threads, both compressions, the layers of an appliance and a plugin.
 * Returns a line for each result that is not what other programs read from the same image. Default of `command`: the bundle.
 */
export function smoke(
  node: string,
  command: string = join(root, 'packages/cli/bin/diskstack.js'),
): readonly string[] {
  const scratch = mkdtempSync(join(tmpdir(), 'diskstack-smoke-'));
  const problems: string[] = [];

  function run(...args: string[]): string {
    const { status, stdout, stderr, error } = spawnSync(node, [command, ...args], {
      cwd: images,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
      timeout: 60_000,
    });
    if (status !== 0 || stderr !== '')
      problems.push(`${args.join(' ')}: status ${status} ${error?.message ?? ''}${stderr}`);
    return stdout ?? '';
  }

  function expectSame(what: string, actual: unknown, expected: unknown): void {
    const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (a !== b) problems.push(`${what}: ${a}, expected ${b}`);
  }

  function digestOf(...args: string[]): string | undefined {
    return run('digest', ...args).split(' ')[0];
  }

  try {
    expectSame('--version', run('--version'), `${version}\n`);

    const chain = parsed<{ format: string; 'virtual-size': number }[]>(
      run('info', '--backing-chain', '--output', 'json', 'top.qcow2'),
    );
    expectSame(
      'info of top.qcow2',
      chain?.map((image) => [image.format, image['virtual-size']]),
      [
        ['qcow2', 1_572_864],
        ['qcow2', 1_310_720],
        ['qcow2', 1_048_576],
      ],
    );

    for (const name of ['base.qcow2', 'middle.qcow2', 'top.qcow2'])
      expectSame(`digest of ${name}`, digestOf(name), content[name]);
    const volume = ['--volume', '/dev/vg0/golden=lv-golden.img'];
    expectSame('digest of overlay.qcow2', digestOf(...volume, 'overlay.qcow2'), content['overlay.qcow2']);

    const copy = join(scratch, 'top.raw');
    run('convert', '-O', 'raw', 'top.qcow2', copy);
    expectSame('top.qcow2 as raw', sha256Of(copy), content['top.qcow2']);
    for (const compression of ['zlib', 'zstd']) {
      const packed = join(scratch, `${compression}.qcow2`);
      run('convert', '-c', '-O', 'qcow2', '-o', `compression_type=${compression}`, 'top.qcow2', packed);
      expectSame(`top.qcow2 packed by ${compression}`, digestOf(packed), content['top.qcow2']);
      run('check', packed);
    }

    const listed = pathsOf(parsed<Layer[]>(run('tree', '--output', 'json', lun)) ?? []);
    for (const { layer, pvs = [], expect } of checks.filter(({ verb }) => verb === 'convert')) {
      if (layer === undefined || expect.sha256 === undefined) continue;
      const address = layer === '' ? lun : `${lun}#${layer}`;
      if (!layer.endsWith('qcow2')) expectSame(`tree lists ${layer}`, listed.has(address), true);
      const further = pvs.flatMap((pv) => ['--pv', join(lun, '..', pv)]);
      expectSame(`digest of ${layer}`, digestOf(...further, address), expect.sha256);
    }

    const plugin = join(scratch, 'mine.mjs');
    writeFileSync(plugin, PLUGIN);
    expectSame(
      'formats lists the plugin',
      /^mine +a plugin$/m.test(run('formats', '--plugin', plugin)),
      true,
    );
  } finally {
    rmSync(scratch, { recursive: true });
  }
  return problems;
}

interface Layer {
  readonly path: string;
  readonly children?: readonly Layer[];
}

function pathsOf(layers: readonly Layer[]): Set<string> {
  return new Set(layers.flatMap(({ path, children = [] }) => [path, ...pathsOf(children)]));
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined; // the run has failed, and has been reported
  }
}

function sha256Of(path: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return undefined;
  }
}
