import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { differences, type LayerCheck, type Node } from './support/layer-checks.ts';
import { jsonOf, runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

/** The tree, which is printed also where a part of it cannot be read; `undefined` where there is none. */
async function treeOf(images: readonly string[]): Promise<Node[] | undefined> {
  const { stdout } = await runHere('tree', ...images, '--output', 'json');
  return stdout.length === 0 ? undefined : JSON.parse(stdout.toString());
}

// The checks of the fixtures, each as one command: disks with every kind of table, and an appliance's column of layers.
const folder = tempFolder();
const packages = new URL('../../', import.meta.url).pathname;
const FIXTURES = ['partition/test/fixtures/partitions', 'lvm/test/fixtures/appliance-small'];

for (const fixture of FIXTURES) {
  const from = join(packages, fixture);
  cpSync(from, folder, { recursive: true });
  const { checks, unpack } = JSON.parse(readFileSync(join(from, 'expected.json'), 'utf8')) as {
    readonly checks: readonly LayerCheck[];
    readonly unpack: readonly string[];
  };
  for (const archive of unpack) execFileSync('tar', ['xzf', join(from, archive), '-C', folder]);
  describe(fixture.slice(fixture.lastIndexOf('/') + 1), () => {
    test.for(checks.map((check) => [check.verb, check.id, check] as const))('%s %s', ([, , check]) =>
      run(check),
    );
  });
}

/** An address of the fixtures, with the folder before it. */
const at = (address: string): string => join(folder, address);

async function run(check: LayerCheck): Promise<void> {
  if (check.verb === 'tree') {
    const nodes = await treeOf(check.files.map(at));
    expect(differences(nodes, check.expect)).toEqual([]);
  } else if (check.verb === 'info') {
    expect(await jsonOf('info', at(check.file))).toMatchObject({
      format: check.expect.format[0],
      'virtual-size': check.expect.virtual_size,
    });
  } else {
    const output = at('out.raw');
    const pvs = check.pvs.flatMap((pv) => ['--pv', at(pv)]);
    const address = at(check.file) + (check.layer === '' ? '' : `#${check.layer}`);
    const { status, stderr } = await runHere('convert', '-O', 'raw', ...pvs, address, output);
    if (check.expect.outcome === 'error') {
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: expect.stringMatching(/^diskstack: ERR_[A-Z_]+: /),
      });
      return;
    }
    // A damaged table or group that is read prints a warning.
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^(diskstack: warning: .*\n)*$/),
    });
    const bytes = readFileSync(output);
    expect(bytes.length).toBe(check.expect.size);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(check.expect.sha256);
  }
}

test('info, map, read, compare and digest take the address of a layer', async () => {
  const address = `${at('gpt-4.img')}#p2`;
  expect(await jsonOf('info', address)).toMatchObject({ format: 'raw', 'virtual-size': 2_097_152 });
  expect(await jsonOf('map', address)).toMatchObject([{ start: 0, length: 2_097_152, offset: 2_097_152 }]);
  const part = await runHere('read', '--raw', address, '0', '512');
  const whole = await runHere('read', '--raw', at('gpt-4.img'), '2M', '512');
  expect(part.stdout.equals(whole.stdout)).toBe(true);
  expect((await runHere('compare', address, address)).status).toBe(0);
  expect((await runHere('digest', address)).status).toBe(0);
});

test('an unknown layer is an error that lists the known ones', async () => {
  const { status, stderr } = await runHere('info', `${at('hybrid.img')}#p9`);
  expect(status).toBe(1);
  expect(stderr).toContain('no layer "p9"');
  expect(stderr).toContain('"p1", "p2", "p3" are there');
});

test('a file whose name has a # is a file', async () => {
  cpSync(at('hybrid.img'), at('odd#p1.img'));
  expect(await jsonOf('info', at('odd#p1.img'))).toMatchObject({ 'virtual-size': 8_388_608 });
  expect(await jsonOf('info', `${at('odd#p1.img')}#p2`)).toMatchObject({ 'virtual-size': 2_097_152 });
});

test('the picture for people', async () => {
  const { stdout } = await runHere('tree', at('ebr-self.img'), at('none-fat.img'));
  expect(stdout.toString().replaceAll(`${folder}/`, '')).toMatch(
    /^ebr-self.img +raw +8 MiB {2}MBR\n├─ p1 +Linux +512 KiB\n└─ p2 +Extended +6 MiB\n {3}├─ p5 +Linux +500 KiB\n {3}└─ p6 +Extended +6 MiB {2}error: the chain of EBRs comes back to sector 4096.*\nnone-fat.img +raw +2 MiB {2}fat\n$/,
  );
});

test('an output that is the file of the layer is refused', async () => {
  cpSync(at('hybrid.img'), at('victim.img'));
  const { status, stderr } = await runHere(
    'convert',
    '-O',
    'raw',
    `${at('victim.img')}#p1`,
    at('victim.img'),
  );
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining('is the same file as the input'),
  });
});

test('a disk that does not exist is an error', async () => {
  const { status, stderr } = await runHere('tree', at('missing.img'));
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('missing.img') });
});

test('a named physical volume that does not exist is an error, also if it is not needed', async () => {
  const SD = '6f1c8b1e-0000-4000-8000-0000000000a1';
  const { status, stderr } = await runHere('info', '--pv', at('nowhere'), at(`lun.qcow2#lv:${SD}/ids`));
  expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('nowhere') });
});
