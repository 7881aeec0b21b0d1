import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { counting } from '../support/images.ts';
import { patch, readU64, tablesOf, writeU64 } from '../support/qcow2-bytes.ts';
import { create, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MIB = 1 << 20;
const CLUSTER = 16_384;
const OFFSET = 0x00ff_ffff_ffff_fe00n;
const folder = tempFolder();
const at = (name: string): string => join(folder, name);

/** Guest ranges that must come out as zeroes. */
type Ranges = readonly (readonly [offset: number, length: number])[];

/** The line of each unreadable range. */
function reported(stderr: string): Ranges {
  return [...stderr.matchAll(/warning: .*: (\d+) bytes at offset (\d+) cannot be read/g)].map(
    ([, length, offset]) => [Number(offset), Number(length)] as const,
  );
}

/** The place of a guest cluster's L2 entry in the image. */
function entryOf(path: string, guest: number): number {
  return tablesOf(path).l2 + (guest / CLUSTER) * 8;
}

const damages: readonly [string, (path: string) => void, Ranges][] = [
  [
    'a compressed cluster that is no deflate stream',
    (path) =>
      patch(
        path,
        Number(readU64(path, entryOf(path, 3 * MIB)) & 0x003f_ffff_ffff_ffffn),
        Buffer.alloc(12, 0xff),
      ),
    [[3 * MIB, CLUSTER]],
  ],
  [
    'clusters past the end of the file',
    (path) => {
      writeU64(path, entryOf(path, MIB), 0x8000_0000_4000_0000n);
      writeU64(path, entryOf(path, MIB + CLUSTER), 0x8000_0000_5000_0000n);
      writeU64(path, entryOf(path, 2 * MIB), 0x8000_0000_6000_0000n);
    },
    [
      [MIB, 2 * CLUSTER],
      [2 * MIB, CLUSTER],
    ],
  ],
  [
    'a cluster that begins between sectors',
    (path) => writeU64(path, entryOf(path, MIB), 0x8000_0000_0005_0200n),
    [[MIB, CLUSTER]],
  ],
  [
    'an L2 table past the end of the file',
    (path) => writeU64(path, tablesOf(path).l1, 0x8000_0000_7000_0000n),
    [[0, 32 * MIB]],
  ],
  [
    'an L2 table between clusters',
    (path) => writeU64(path, tablesOf(path).l1, (readU64(path, tablesOf(path).l1) & OFFSET) + 512n),
    [[0, 32 * MIB]],
  ],
];

describeWithQemu('convert --salvage', () => {
  beforeAll(() => {
    create(folder, 'sound.qcow2', 'qcow2', '34M', { o: `cluster_size=${CLUSTER}` });
    qemuIo(
      folder,
      'sound.qcow2',
      'qcow2',
      'write -P 5 0 2560k',
      'write -c -P 6 3M 256k',
      'write -P 7 33M 1M',
      'write -z 4M 1M',
    );
  });

  test.each(damages)('%s', async (_, damage, ranges) => {
    copyFileSync(at('sound.qcow2'), at('bad.qcow2'));
    damage(at('bad.qcow2'));
    qemuImg(folder, 'convert', '-f', 'qcow2', '-O', 'raw', 'sound.qcow2', 'expected.raw');
    for (const [offset, length] of ranges) {
      for (let done = 0; done < length; done += MIB)
        patch(at('expected.raw'), offset + done, new Uint8Array(Math.min(MIB, length - done)));
    }
    const plain = await runHere('convert', at('bad.qcow2'), at('none.raw'));
    expect(plain.status).toBe(1); // without it nothing is written
    expect(() => statSync(at('none.raw'))).toThrow('ENOENT');
    for (const format of ['raw', 'qcow2']) {
      const { status, stderr } = await runHere(
        'convert',
        '--salvage',
        '-O',
        format,
        at('bad.qcow2'),
        at('out'),
      );
      expect(status).toBe(1);
      expect(reported(stderr)).toEqual(ranges);
      expect(stderr).toMatch(/\ndiskstack: ERR_[A-Z_]+: the output is complete, but [^\n]+\n$/);
      qemuImg(folder, 'compare', '-f', 'raw', '-F', format, 'expected.raw', 'out');
    }
    const quiet = await runHere('convert', '--salvage', '-q', at('bad.qcow2'), at('out'));
    expect([quiet.status, reported(quiet.stderr)]).toEqual([1, []]);
    expect(quiet.stderr.split('\n')).toHaveLength(2);
  });

  test('the result is that of qemu-img convert --salvage', async () => {
    // An image of version 2 whose last cluster is cut, with clusters, compressed ones and tables damaged at random.
    create(folder, 'much.qcow2', 'qcow2', '20M', { o: 'cluster_size=4k,compat=0.10' });
    qemuIo(folder, 'much.qcow2', 'qcow2', 'write -P 5 0 6M', 'write -c -P 6 8M 4M', 'write -P 7 13M 6M');
    const { l1 } = tablesOf(at('much.qcow2'));
    for (let round = 0; round < 6; round++) {
      copyFileSync(at('much.qcow2'), at('bad.qcow2'));
      let state = round + 1;
      const random = (below: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return (state >>> 8) % below;
      };
      for (let count = 0; count < 12; count++) {
        const table = Number(readU64(at('bad.qcow2'), l1 + 8 * random(10)) & OFFSET);
        if (table > 0) writeU64(at('bad.qcow2'), table + 8 * random(512), BigInt(random(2 ** 24)) << 20n);
      }
      if (round % 2 === 1) writeU64(at('bad.qcow2'), l1 + 8 * random(10), 0x8000_0000_0800_0000n);
      if (round > 3) truncateSync(at('bad.qcow2'), statSync(at('bad.qcow2')).size - 3 * 4096 - 1024);
      qemuImg(folder, 'convert', '-q', '--salvage', '-f', 'qcow2', '-O', 'raw', 'bad.qcow2', 'theirs.raw');
      const { status, stderr } = await runHere('convert', '--salvage', at('bad.qcow2'), at('ours.raw'));
      const [theirs, ours] = [readFileSync(at('theirs.raw')), readFileSync(at('ours.raw'))];
      const differing = differences(theirs, ours);
      // What qemu-img reads past the end of a file is zeroes; here it is unreadable, and zeroes as well.
      expect(differing).toEqual([]);
      expect(status).toBe(reported(stderr).length > 0 ? 1 : 0);
    }
  });

  test('an image without damage is copied, and the exit status is 0', async () => {
    const { status, stderr } = await runHere('convert', '--salvage', at('sound.qcow2'), at('out'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    qemuImg(folder, 'compare', '-F', 'raw', 'sound.qcow2', 'out');
  });

  test('of several images each range is that of the output, with the image that it comes from', async () => {
    copyFileSync(at('sound.qcow2'), at('bad.qcow2'));
    writeU64(at('bad.qcow2'), entryOf(at('bad.qcow2'), MIB), 0x8000_0000_4000_0000n);
    const { status, stderr } = await runHere(
      'convert',
      '--salvage',
      ...[at('bad.qcow2'), at('sound.qcow2'), at('bad.qcow2')],
      at('out'),
    );
    expect(status).toBe(1);
    expect(reported(stderr)).toEqual([
      [MIB, CLUSTER],
      [MIB + 2 * 34 * MIB, CLUSTER],
    ]);
    expect(stderr).toContain(`"${at('bad.qcow2')}"`);
  });

  test('the damage of a base is salvaged through its overlay', async () => {
    copyFileSync(at('sound.qcow2'), at('bad.qcow2'));
    writeU64(at('bad.qcow2'), entryOf(at('bad.qcow2'), MIB), 0x8000_0000_4000_0000n);
    create(folder, 'top.qcow2', 'qcow2', '34M', { backing: ['bad.qcow2', 'qcow2'] });
    qemuIo(folder, 'top.qcow2', 'qcow2', 'write -P 9 0 64k');
    const { status, stderr } = await runHere('convert', '--salvage', at('top.qcow2'), at('out'));
    expect([status, reported(stderr)]).toEqual([1, [[MIB, CLUSTER]]]);
  });

  test('into an overlay, into an image that is there, and to standard output', async () => {
    copyFileSync(at('sound.qcow2'), at('bad.qcow2'));
    writeU64(at('bad.qcow2'), entryOf(at('bad.qcow2'), MIB), 0x8000_0000_4000_0000n);
    qemuImg(folder, 'convert', '-f', 'qcow2', '-O', 'raw', 'sound.qcow2', 'expected.raw');
    patch(at('expected.raw'), MIB, new Uint8Array(CLUSTER));
    writeFileSync(at('base.raw'), counting(4 * MIB));
    create(folder, 'there.qcow2', 'qcow2', '34M');
    qemuIo(folder, 'there.qcow2', 'qcow2', 'write -P 99 0 4M');
    for (const flags of [
      ['-B', at('base.raw'), '-F', 'raw', at('bad.qcow2'), at('overlay.qcow2')],
      ['-n', at('bad.qcow2'), at('there.qcow2')],
    ]) {
      const { status, stderr } = await runHere('convert', '--salvage', '-O', 'qcow2', ...flags);
      expect([status, reported(stderr)]).toEqual([1, [[MIB, CLUSTER]]]);
      qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow2', 'expected.raw', flags.at(-1) ?? '');
    }
  });
});

const noLoop =
  process.getuid?.() !== 0 || spawnSync('losetup', ['--find']).status !== 0
    ? 'there are no loop devices for us here'
    : undefined;
if (noLoop !== undefined) console.warn(`WARNING: tests of devices that fail are skipped: ${noLoop}`);

test.skipIf(noLoop)(
  `what a device does not return is zeroes${noLoop === undefined ? '' : ` [skipped: ${noLoop}]`}`,
  async () => {
    writeFileSync(at('device.img'), counting(3 * MIB));
    const device = execFileSync('losetup', ['--find', '--show', at('device.img')], {
      encoding: 'utf8',
    }).trim();
    onTestFinished(() => {
      execFileSync('losetup', ['--detach', device]);
    });
    truncateSync(at('device.img'), MIB + 40_960); // the rest is EIO from now on
    const plain = await runHere('convert', '-f', 'raw', device, at('out'));
    expect(plain.status).toBe(1);
    const { status, stderr } = await runHere('convert', '--salvage', '-f', 'raw', device, at('out'));
    expect([status, reported(stderr)]).toEqual([1, [[MIB + 40_960, 2 * MIB - 40_960]]]);
    const expected = Buffer.alloc(3 * MIB);
    expected.set(counting(3 * MIB).subarray(0, MIB + 40_960));
    expect(readFileSync(at('out')).equals(expected)).toBe(true);
  },
);

/** Ranges of sectors that differ. */
function differences(a: Buffer, b: Buffer): Ranges {
  const found: [number, number][] = a.length === b.length ? [] : [[-1, b.length - a.length]];
  for (let offset = 0; offset < a.length; offset += 512) {
    if (a.subarray(offset, offset + 512).equals(b.subarray(offset, offset + 512))) continue;
    const last = found.at(-1);
    if (last !== undefined && last[0] + last[1] === offset) last[1] += 512;
    else found.push([offset, 512]);
  }
  return found;
}
