import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { counting } from '../support/images.ts';
import { patch, readU64, tablesOf, writeU64 } from '../support/qcow2-bytes.ts';
import { create, describeWithQemu, qemuImg, qemuIo, tryQemuImg } from '../support/qemu.ts';
import { finished, start } from '../support/run-cli.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MIB = 1 << 20;
const folder = tempFolder();
const at = (name: string): string => join(folder, name);

async function good(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runHere(...args);
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return stdout.toString();
}

async function refused(...args: string[]): Promise<string> {
  const { status, stderr } = await runHere(...args);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^diskstack: ERR_[A-Z_]+: [^\n]+\n$/);
  return stderr;
}

/** qemu-img finds no fault, and reads these bytes. */
function expectImage(name: string, content: Uint8Array): void {
  expect(tryQemuImg(folder, 'check', '-f', 'qcow2', name)).toMatchObject({ status: 0 });
  qemuImg(folder, 'convert', '-f', 'qcow2', '-O', 'raw', name, 'read.raw');
  expect(readFileSync(at('read.raw')).equals(content)).toBe(true);
}

function info(name: string): Record<string, unknown> {
  return JSON.parse(qemuImg(folder, 'info', '--output', 'json', name)) as Record<string, unknown>;
}

const base = Buffer.from(counting(2 * MIB));

describeWithQemu('commands that change an image', () => {
  beforeEach(() => {
    writeFileSync(at('base.raw'), base);
    create(folder, 'image.qcow2', 'qcow2', '3M', { backing: ['base.raw', 'raw'] });
  });

  test('write: a pattern, zeroes, and bytes of stdin', async () => {
    const content = Buffer.concat([base, Buffer.alloc(MIB)]);
    await good('write', at('image.qcow2'), '100000', '--pattern', '0x5a', '--length', '200k');
    content.fill(0x5a, 100_000, 100_000 + 200 * 1024);
    await good('write', at('image.qcow2'), '1M', '--zeroes', '--length', '100k');
    content.fill(0, MIB, MIB + 100 * 1024);
    expectImage('image.qcow2', content);
    writeFileSync(at('bytes'), counting(300_000, 9));
    const child = start(['write', 'image.qcow2', '2500k'], folder, ['pipe', 'pipe', 'pipe']);
    child.stdin?.end(readFileSync(at('bytes')));
    const { status, stdout } = await finished(child);
    expect({ status, stdout: stdout.toString() }).toEqual({
      status: 0,
      stdout: 'wrote 300000/300000 bytes at offset 2560000\n',
    });
    content.set(counting(300_000, 9), 2_560_000);
    expectImage('image.qcow2', content);
  });

  test('write past the end is refused, and nothing of it is written', async () => {
    const before = readFileSync(at('image.qcow2'));
    expect(await refused('write', at('image.qcow2'), '3071k', '--pattern', '1', '--length', '2k')).toContain(
      'ERR_OUT_OF_BOUNDS',
    );
    expect(readFileSync(at('image.qcow2')).equals(before)).toBe(true);
  });

  test('discard: whole clusters read as zeroes', async () => {
    const content = Buffer.concat([base, Buffer.alloc(MIB)]);
    await good('write', at('image.qcow2'), '0', '--pattern', '7', '--length', '1M');
    await good('discard', at('image.qcow2'), '64k', '100k');
    content.fill(7, 0, MIB).fill(0, 65_536, 131_072);
    expectImage('image.qcow2', content);
  });

  test('resize: longer, shorter with --shrink only, by steps', async () => {
    const size = (): unknown => info('image.qcow2')['virtual-size'];
    expect(await good('resize', at('image.qcow2'), '+1M')).toBe('Image resized.\n');
    expect(size()).toBe(4 * MIB);
    expect(await refused('resize', at('image.qcow2'), '--', '-2M')).toContain('--shrink');
    expect(await refused('resize', at('image.qcow2'), '1M')).toContain('--shrink');
    await good('resize', '--shrink', at('image.qcow2'), '-3M');
    expect(size()).toBe(MIB);
    await good('resize', '-q', at('image.qcow2'), '2M');
    expectImage('image.qcow2', Buffer.concat([base.subarray(0, MIB), Buffer.alloc(MIB)]));
    expect(await refused('resize', at('image.qcow2'), '-x')).toContain('"-x"');
  });

  test('commit: the base reads as the overlay did, and the overlay is empty', async () => {
    await good('write', at('image.qcow2'), '1000', '--pattern', '3', '--length', '70000');
    const content = Buffer.concat([base, Buffer.alloc(MIB)]).fill(3, 1000, 71_000);
    expect(await good('commit', at('image.qcow2'))).toBe('Image committed.\n');
    expect(readFileSync(at('base.raw')).equals(content)).toBe(true);
    expectImage('image.qcow2', content);
    expect(await jsonOf('check', at('image.qcow2'))).not.toHaveProperty('allocated-clusters');
    expect(info('image.qcow2')).toMatchObject({
      'backing-filename': 'base.raw',
      'backing-filename-format': 'raw',
    });
  });

  test('commit -d leaves the overlay as it is', async () => {
    await good('write', at('image.qcow2'), '0', '--pattern', '3', '--length', '64k');
    const before = readFileSync(at('image.qcow2'));
    await good('commit', '-q', '-d', at('image.qcow2'));
    expect(readFileSync(at('image.qcow2')).equals(before)).toBe(true);
    expect(readFileSync(at('base.raw')).subarray(0, 65_536).equals(Buffer.alloc(65_536, 3))).toBe(true);
  });

  test('rebase: safe keeps the content, -u the tables', async () => {
    const content = Buffer.concat([base, Buffer.alloc(MIB)]);
    writeFileSync(at('other.raw'), Buffer.alloc(MIB, 9));
    await good('rebase', '-b', 'other.raw', '-F', 'raw', at('image.qcow2'));
    expectImage('image.qcow2', content);
    await good('rebase', '-b', '', at('image.qcow2'));
    expectImage('image.qcow2', content);
    expect(info('image.qcow2')).not.toHaveProperty('backing-filename');
    create(folder, 'bare.qcow2', 'qcow2', '1M', { backing: ['base.raw', 'raw'] });
    await good('rebase', '-u', '-b', 'other.raw', '-F', 'raw', at('bare.qcow2'));
    expectImage('bare.qcow2', Buffer.alloc(MIB, 9));
    const missing = await refused('rebase', '-b', 'nowhere.raw', '-F', 'raw', at('bare.qcow2'));
    expect(missing).toContain('ERR_NOT_FOUND');
    await good('rebase', '-u', '-b', 'nowhere.raw', '-F', 'raw', at('bare.qcow2'));
    expect(await refused('rebase', '-b', 'x', at('bare.qcow2'))).toContain('-F');
  });

  test('rebase onto an overlay of the image is refused', async () => {
    create(folder, 'above.qcow2', 'qcow2', '3M', { backing: ['image.qcow2', 'qcow2'] });
    const error = await refused('rebase', '-b', 'above.qcow2', '-F', 'qcow2', at('image.qcow2'));
    expect(error).toContain('ERR_BACKING_LOOP');
  });

  test('snapshot: created, applied, deleted, as qemu-img lists them', async () => {
    await good('write', at('image.qcow2'), '0', '--pattern', '1', '--length', '1M');
    await good('snapshot', '-c', 'first', at('image.qcow2'));
    await good('write', at('image.qcow2'), '0', '--pattern', '2', '--length', '1M');
    await good('snapshot', '-c', 'second', at('image.qcow2'));
    const list = (): string => qemuImg(folder, 'snapshot', '-l', 'image.qcow2');
    expect(list()).toMatch(/first.*second/s);
    expect(await good('snapshot', at('image.qcow2'))).toContain('first');
    await good('snapshot', '-a', 'first', at('image.qcow2'));
    expectImage('image.qcow2', Buffer.concat([base, Buffer.alloc(MIB)]).fill(1, 0, MIB));
    await good('snapshot', '-d', 'first', at('image.qcow2'));
    expect(list()).not.toContain('first');
    expectImage('image.qcow2', Buffer.concat([base, Buffer.alloc(MIB)]).fill(1, 0, MIB));
    expect(await refused('snapshot', '-a', 'first', at('image.qcow2'))).toContain('ERR_NOT_FOUND');
    expect(await refused('snapshot', '-l', '-c', 'x', at('image.qcow2'))).toContain('ERR_ARGUMENT');
  });

  test('check -r leaks: first the plan, then the repair', async () => {
    qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 5 0 256k');
    const { l2 } = tablesOf(at('image.qcow2'));
    writeU64(at('image.qcow2'), l2, 0n); // forgets the first cluster: it is leaked
    const before = readFileSync(at('image.qcow2'));
    const plan = await runHere('check', '-r', 'leaks', '--dry-run', at('image.qcow2'));
    expect(plan.status).toBe(3);
    expect(plan.stdout.toString()).toContain('1 leaked clusters');
    expect(readFileSync(at('image.qcow2')).equals(before)).toBe(true);
    expect(await good('check', '-r', 'leaks', at('image.qcow2'))).toContain('No errors were found');
    expect(tryQemuImg(folder, 'check', 'image.qcow2').status).toBe(0);
  });

  test('check -r all raises refcounts that are too low', async () => {
    qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 5 0 256k');
    const { l2, refcountBlock } = tablesOf(at('image.qcow2'));
    const cluster = Number((readU64(at('image.qcow2'), l2) & 0xff_ffff_ffff_fe00n) / 65_536n);
    patch(at('image.qcow2'), refcountBlock + cluster * 2, Uint8Array.of(0, 0));
    expect((await runHere('check', at('image.qcow2'))).status).toBe(2);
    await good('check', '-r', 'all', at('image.qcow2'));
    expectImage('image.qcow2', Buffer.concat([base, Buffer.alloc(MIB)]).fill(5, 0, 256 * 1024));
  });

  test('bitmap: added, kept by qemu, cleared, disabled, removed', async () => {
    const bitmaps = (): unknown => {
      const specific = info('image.qcow2')['format-specific'] as { data: { bitmaps?: unknown } };
      return specific.data.bitmaps;
    };
    await good('bitmap', '--add', at('image.qcow2'), 'one');
    await good('bitmap', '--add', '--disable', '-g', '4k', at('image.qcow2'), 'two');
    expect(bitmaps()).toEqual([
      { flags: ['auto'], name: 'one', granularity: 65_536 },
      { flags: [], name: 'two', granularity: 4096 },
    ]);
    qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 5 1M 64k');
    expect(await jsonOf('bitmaps', at('image.qcow2'), 'one')).toContainEqual({
      start: MIB,
      length: 65_536,
      dirty: true,
    });
    await good('bitmap', '--clear', at('image.qcow2'), 'one');
    expect(await jsonOf('bitmaps', at('image.qcow2'), 'one')).toEqual([
      { start: 0, length: 3 * MIB, dirty: false },
    ]);
    await good('bitmap', '--enable', at('image.qcow2'), 'two');
    qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 5 2M 1');
    expect(await jsonOf('bitmaps', at('image.qcow2'), 'two')).toContainEqual({
      start: 2 * MIB,
      length: 4096,
      dirty: true,
    });
    await good('bitmap', '--remove', at('image.qcow2'), 'one');
    await good('bitmap', '--remove', at('image.qcow2'), 'two');
    expect(bitmaps()).toBeUndefined();
    const content = Buffer.concat([base, Buffer.alloc(MIB)])
      .fill(5, MIB, MIB + 65_536)
      .fill(5, 2 * MIB, 2 * MIB + 1);
    expectImage('image.qcow2', content);
    for (const [action, name] of [
      ['--remove', 'one'],
      ['--clear', 'none'],
    ] as const)
      expect(await refused('bitmap', action, at('image.qcow2'), name)).toContain('ERR_NOT_FOUND');
    await good('bitmap', '--add', at('image.qcow2'), 'same');
    expect(await refused('bitmap', '--add', at('image.qcow2'), 'same')).toContain('already');
    expect(await refused('bitmap', '--add', '-g', '1000', at('image.qcow2'), 'odd')).toContain('1000');
    expect(await refused('bitmap', at('image.qcow2'), 'same')).toContain('nothing to do');
  });

  test.each(['1.1', '0.10'])(
    'rebase (compat %s): bytes below which nothing was stay zeroes',
    async (compat) => {
      writeFileSync(at('full.raw'), Buffer.alloc(3 * MIB, 7));
      for (const backing of [undefined, ['base.raw', 'raw'] as const]) {
        create(folder, 'top.qcow2', 'qcow2', '3M', {
          o: `compat=${compat}`,
          ...(backing && { backing }),
        });
        qemuIo(folder, 'top.qcow2', 'qcow2', 'write -P 9 100k 100k');
        const content = Buffer.alloc(3 * MIB);
        if (backing !== undefined) content.set(base);
        content.fill(9, 100 * 1024, 200 * 1024);
        await good('rebase', '-q', '-b', 'full.raw', '-F', 'raw', at('top.qcow2'));
        expectImage('top.qcow2', content);
      }
    },
  );

  test('discard: clusters read as zeroes, also where the base was visible', async () => {
    qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 8 0 64k');
    await good('discard', at('image.qcow2'), '0', '256k');
    expectImage('image.qcow2', Buffer.concat([base, Buffer.alloc(MIB)]).fill(0, 0, 256 * 1024));
  });

  test('commit -b leaves the overlay as it is, also when its own base is named', async () => {
    qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 9 0 64k');
    const before = readFileSync(at('image.qcow2'));
    await good('commit', '-q', '-b', at('base.raw'), at('image.qcow2'));
    expect(readFileSync(at('image.qcow2')).equals(before)).toBe(true);
    expect(readFileSync(at('base.raw'))[65_535]).toBe(9);
  });

  test('write: more on stdin than the disk has room for changes nothing', async () => {
    const before = readFileSync(at('image.qcow2'));
    const child = start(['write', 'image.qcow2', '1M'], folder, ['pipe', 'pipe', 'pipe']);
    child.stdin?.on('error', () => {}); // it stops to listen when it has heard enough
    child.stdin?.end(counting(4 * MIB, 3));
    const { status, stderr } = await finished(child);
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ERR_OUT_OF_BOUNDS'),
    });
    expect(readFileSync(at('image.qcow2')).equals(before)).toBe(true);
  });

  test('resize to 0 is refused if there are bitmaps', async () => {
    create(folder, 'marked.qcow2', 'qcow2', '1M');
    qemuImg(folder, 'bitmap', '--add', '--disable', 'marked.qcow2', 'b0');
    expect(await refused('resize', '--shrink', at('marked.qcow2'), '0')).toContain('bitmaps');
    expectImage('marked.qcow2', Buffer.alloc(MIB));
  });

  test('check finds a COPIED bit without a table, and -r all clears it', async () => {
    create(folder, 'bit.qcow2', 'qcow2', '1M');
    writeU64(at('bit.qcow2'), 0x30000, 1n << 63n);
    expect(tryQemuImg(folder, 'check', 'bit.qcow2').status).toBe(2);
    expect((await runHere('check', at('bit.qcow2'))).status).toBe(2);
    await good('check', '-r', 'all', at('bit.qcow2'));
    expectImage('bit.qcow2', Buffer.alloc(MIB));
  });

  test('-q leaves the answer to the exit status', async () => {
    create(folder, 'other.qcow2', 'qcow2', '4M', { backing: ['base.raw', 'raw'] });
    const files = [at('image.qcow2'), at('other.qcow2')];
    expect(await runHere('compare', '-q', ...files)).toMatchObject({ status: 0, stdout: Buffer.alloc(0) });
    expect(await runHere('compare', '-q', '-s', ...files)).toMatchObject({
      status: 1,
      stdout: Buffer.alloc(0),
    });
    expect(await good('check', '-q', at('image.qcow2'))).toBe('');
  });

  test('options that scripts pass are accepted', async () => {
    qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 8 0 64k');
    qemuImg(folder, 'snapshot', '-c', 'kept', 'image.qcow2');
    qemuIo(folder, 'image.qcow2', 'qcow2', 'write -P 9 0 64k');
    const habits = ['-U', '-t', 'none', '-T', 'none', '-W', '-m', '8'];
    await good('convert', ...habits, '-l', 'snapshot.name=kept', at('image.qcow2'), at('kept.raw'));
    expect(readFileSync(at('kept.raw'))[0]).toBe(8);
    await good('info', '-U', at('image.qcow2'));
    await good('map', '-U', '-s', '0', '-l', '64k', at('image.qcow2'));
    await good('check', '-U', '-T', 'none', at('image.qcow2'));
    await good('compare', '-U', '-T', 'none', at('image.qcow2'), at('image.qcow2'));
  });
});

describe('an ability that a format lacks', () => {
  test.each([
    [['snapshot', '-c', 'x'], []],
    [['bitmap', '--add'], ['x']],
    [['rebase', '-b', ''], []],
    [['commit'], []],
  ])('%j of a raw image is refused in one line', async (before, after) => {
    writeFileSync(at('plain.raw'), counting(4096));
    await refused(...before, '-f', 'raw', at('plain.raw'), ...after);
    expect(readFileSync(at('plain.raw')).equals(Buffer.from(counting(4096)))).toBe(true);
  });

  test('raw images are written and resized', async () => {
    writeFileSync(at('plain.raw'), counting(4096));
    await good('write', '-f', 'raw', at('plain.raw'), '10', '--pattern', '9', '--length', '5');
    await good('resize', '-f', 'raw', at('plain.raw'), '+1001');
    expect(statSync(at('plain.raw')).size).toBe(5097);
    expect(readFileSync(at('plain.raw')).subarray(10, 15).equals(Buffer.alloc(5, 9))).toBe(true);
    expect(readdirSync(folder).filter((name) => name.includes('.partial'))).toEqual([]);
  });
});
