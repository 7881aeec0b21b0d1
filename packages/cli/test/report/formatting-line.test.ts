import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeWithQemu, qemuImg, tryQemuImg } from '../support/qemu.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

/** Values of each key: every combination that a small generator makes of them. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  nocow: ['off'],
  extent_size_hint: ['0', '1M'],
  preallocation: ['off', 'metadata', 'full'],
  cluster_size: ['4k', '65536', '2M'],
  compat: ['0.10', '1.1', 'v2', 'v3'],
  compression_type: ['zlib', 'zstd'],
  lazy_refcounts: ['on', 'off', 'yes'],
  refcount_bits: ['16', '8'],
  extended_l2: ['on', 'off'],
  data_file_raw: ['on', 'off'],
};

/** Numbers that look random and are the same in every run. */
function* numbers(): Generator<number> {
  for (let state = 12_345; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state >> 8;
  }
}

const random = numbers();
const next = (below: number): number => (random.next().value ?? 0) % below;

function combination(): readonly string[] {
  const keys = Object.keys(VALUES).filter(() => next(3) === 0);
  const pairs = keys.map((key) => `${key}=${VALUES[key]?.[next(VALUES[key].length)] ?? ''}`);
  if (next(4) === 0) pairs.push(`data_file=${at('x.data')}`);
  if (next(3) === 0) pairs.push('backing_fmt=raw', `backing_file=${at('base.raw')}`);
  const sized = next(3);
  if (sized === 0) pairs.push('size=3M');
  return [
    '-f',
    'qcow2',
    ...(pairs.length === 0 ? [] : ['-o', pairs.join(',')]),
    at('x.qcow2'),
    ...(sized === 0 ? [] : ['1000k']),
  ];
}

describeWithQemu('what create prints is what qemu-img prints', () => {
  writeFileSync(at('base.raw'), new Uint8Array(1 << 20));
  const clean = (): void => {
    for (const name of ['x.qcow2', 'x.raw', 'x.data']) rmSync(at(name), { force: true });
  };

  test('over generated combinations of options', async () => {
    let compared = 0;
    for (let index = 0; index < 150; index++) {
      const args = combination();
      clean();
      const theirs = tryQemuImg(folder, 'create', ...args);
      clean();
      const ours = await runHere('create', ...args);
      if (theirs.status !== 0 || ours.status !== 0) continue; // which combinations are taken is tested elsewhere
      expect([args, ours.stdout.toString()]).toEqual([args, theirs.stdout]);
      compared++;
    }
    expect(compared).toBeGreaterThan(30);
  });

  test.each([
    ['-f', 'raw', '-o', 'extent_size_hint=1M,nocow=off,preallocation=full', at('x.raw'), '1M'],
    ['-f', 'raw', '-o', 'size=1000', at('x.raw')],
    ['-f', 'qcow2', at('x.qcow2'), '1000'],
    ['-f', 'qcow2', '-o', 'lazy_refcounts', at('x.qcow2'), '1.5M'],
    ['-f', 'qcow2', '-b', at('base.raw'), '-F', 'raw', at('x.qcow2')],
    [
      '-f',
      'qcow2',
      '-b',
      at('base.raw'),
      '-F',
      'raw',
      '-o',
      `backing_file=${at('other.raw')}`,
      at('x.qcow2'),
    ],
  ])('create %s %s %s %s %s', async (...given) => {
    const args = given.filter((arg) => arg !== undefined);
    clean();
    const theirs = qemuImg(folder, 'create', ...args);
    clean();
    expect((await runHere('create', ...args)).stdout.toString()).toBe(theirs);
  });

  test('with an encrypted image', async () => {
    const args = [
      ...['-f', 'qcow2', '--object', 'secret,id=s0,data=pass'],
      ...[
        '-o',
        'encrypt.iter-time=10,encrypt.hash-alg=sha256,encrypt.ivgen-hash-alg=sha256,encrypt.ivgen-alg=plain64',
      ],
      ...[
        '-o',
        'encrypt.cipher-mode=xts,encrypt.cipher-alg=aes-128,encrypt.key-secret=s0,encrypt.format=luks',
      ],
      ...[at('x.qcow2'), '1M'],
    ];
    clean();
    const theirs = qemuImg(folder, 'create', ...args);
    clean();
    expect((await runHere('create', ...args)).stdout.toString()).toBe(theirs);
  });

  test.each([
    ['create', '-f', 'qcow2', '-o', 'help'],
    ['create', '-f', 'qcow2', '-o', '?', 'name', '1M'],
    ['create', '-f', 'raw', '-o', 'help'],
    ['create', '-f', 'qcow', '-o', 'help'],
    ['create', '-o', 'help', 'name', '1M'],
    ['convert', '-O', 'qcow2', '-o', 'cluster_size=4k,help'],
  ])('%s %s %s %s %s', async (...args) => {
    const ours = await runHere(...args);
    expect(ours.stdout.toString()).toBe(qemuImg(folder, ...args));
    expect(ours.status).toBe(0);
  });

  test('amend -o help lists the keys that are amended, as qemu-img lists them', async () => {
    const theirs = qemuImg(folder, 'amend', '-f', 'qcow2', '-o', 'help').split('\n');
    const ours = (await runHere('amend', '-f', 'qcow2', '-o', 'help')).stdout.toString().split('\n');
    expect(ours.length).toBeGreaterThan(5);
    for (const line of ours) expect(theirs).toContain(line);
  });
});

test.each(['9007199254740992', '9007199254740993', '8E', '9223372036854775807'])(
  'a size of %s is refused by its exact number',
  async (size) => {
    const { status, stderr } = await runHere('create', '-f', 'qcow2', at('large.qcow2'), size);
    expect(status).toBe(1);
    expect(stderr).toContain(`"${size}"`);
    expect(stderr).toContain(String(Number.MAX_SAFE_INTEGER));
  },
);
