import { copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { counting, sparseFile } from '../support/images.ts';
import { patch, readU64, tablesOf, writeU64 } from '../support/qcow2-bytes.ts';
import { create, createEncrypted, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { output } from '../support/run-cli.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const inFolder = (name: string): string => join(folder, name);

interface Report {
  readonly filename: string;
  readonly format: string | null;
  readonly verdict: string;
  readonly checks: readonly { readonly check: string; readonly verdict: string; readonly detail: string }[];
}

const CHECKS = [
  'format',
  'polyglot',
  'features',
  'well-formed',
  'backing-file',
  'data-file',
  'encryption',
  'snapshots',
  'clean',
  'names',
  'metadata',
  'virtual-size',
  'expansion',
  'compression',
];

const CLUSTER: Readonly<Record<string, number>> = { 'plain.qcow': 4096, 'small-clusters.qcow2': 512 };

/** Runs `inspect`, and holds the answer against itself: every check, and one verdict out of all of them. */
async function inspect(...args: string[]): Promise<Report> {
  const { status, stdout, stderr } = await runHere('inspect', '--output', 'json', ...args);
  expect(stderr).toBe('');
  const report: Report = JSON.parse(stdout.toString());
  expect(report.checks.map(({ check }) => check)).toEqual(CHECKS);
  const isGood = report.checks.every(({ verdict }) => verdict === 'pass');
  expect([report.verdict, status]).toEqual(isGood ? ['pass', 0] : ['violated', 2]);
  return report;
}

/** The checks that are violated, and no other. */
async function violates(args: readonly string[], ...checks: string[]): Promise<Report> {
  const report = await inspect(...args);
  const found = report.checks.filter(({ verdict }) => verdict === 'violated').map(({ check }) => check);
  expect(found).toEqual(checks);
  return report;
}

function detailOf(report: Report, name: string): string {
  return report.checks.find(({ check }) => check === name)?.detail ?? '';
}

describe('inspect of raw files', () => {
  it.for([
    ['bytes', 0, counting(5000)],
    ['a boot sector', 510, Uint8Array.of(0x55, 0xaa)],
    ['a GUID partition table', 512, Buffer.from('EFI PART')],
    ['an ISO file system', 0x8001, Buffer.from('CD001')],
  ] as const)('passes %s', async ([, at, bytes]) => {
    sparseFile(inFolder('disk.raw'), 1 << 20, [[at, bytes]]);
    const report = await violates([inFolder('disk.raw')]);
    expect(report).toMatchObject({ filename: inFolder('disk.raw'), format: 'raw', verdict: 'pass' });
  });

  it('passes an empty file', async () => {
    writeFileSync(inFolder('empty'), '');
    await violates([inFolder('empty')]);
  });

  it.for([
    ['vmdk', 0, 'KDMV'],
    ['vmdk', 0, '# Disk DescriptorFile\nversion=1\n'],
    ['vmdk', 0, '#\n\n   \n# a comment\nversion=1\r\nRW 1 FLAT "/etc/shadow" 0\n'],
    ['vhd', 0, 'conectix'],
    ['vhd', (1 << 20) - 512, 'conectix'],
    ['vhdx', 0, 'vhdxfile'],
    ['vdi', 0x40, '\x7f\x10\xda\xbe'],
    ['qed', 0, 'QED\0'],
    ['luks', 0, 'LUKS\xba\xbe'],
    ['dmg', (1 << 20) - 512, 'koly'],
    ['tar (ova)', 257, 'ustar'],
  ] as const)('sees an image of a format that it cannot open: %s at byte %i', async ([name, at, text]) => {
    sparseFile(inFolder('other'), 1 << 20, [[at, Buffer.from(text, 'latin1')]]);
    const report = await violates([inFolder('other')], 'polyglot');
    expect(detailOf(report, 'polyglot')).toContain(`${name} at byte 0x${at.toString(16)}`);
  });

  it('holds a declared format against the file', async () => {
    sparseFile(inFolder('disk.raw'), 1 << 20, []);
    await violates(['-f', 'raw', inFolder('disk.raw')]);
    const report = await inspect('-f', 'qcow2', inFolder('disk.raw'));
    expect(report.checks[0]).toMatchObject({ check: 'format', verdict: 'violated' });
  });
});

describeWithQemu('inspect of images', () => {
  it.for([
    ['plain.qcow2', 'qcow2', undefined],
    ['old.qcow2', 'qcow2', 'compat=0.10'],
    ['small-clusters.qcow2', 'qcow2', 'cluster_size=512'],
    ['extended.qcow2', 'qcow2', 'extended_l2=on'],
    ['zstd.qcow2', 'qcow2', 'compression_type=zstd'],
    ['plain.qcow', 'qcow', undefined],
  ] as const)('passes %s', async ([name, format, o]) => {
    create(folder, name, format, '20M', o === undefined ? {} : { o });
    qemuIo(folder, name, format, 'write -P 1 0 1M', 'write -P 2 5M 100k');
    qemuIo(folder, name, format, `write -c -P 7 8M ${CLUSTER[name] ?? 65_536}`);
    expect(await violates([inFolder(name)])).toMatchObject({ format });
  });

  it('passes a large disk that is mostly empty', async () => {
    create(folder, 'sparse.qcow2', 'qcow2', '10T');
    await violates([inFolder('sparse.qcow2')]);
    await violates(['--max-ratio', '1000', inFolder('sparse.qcow2')], 'expansion');
    await violates(['--max-virtual-size', '9T', inFolder('sparse.qcow2')], 'virtual-size');
  });

  it('sees a small file that claims to be huge', async () => {
    create(folder, 'huge.qcow2', 'qcow2', '5P', { o: 'cluster_size=2M' });
    const report = await violates([inFolder('huge.qcow2')], 'virtual-size');
    expect(detailOf(report, 'virtual-size')).toContain('5 PiB');
    await violates(['--max-virtual-size', '8000T', inFolder('huge.qcow2')]);
  });

  it('sees names that would be opened', async () => {
    create(folder, 'overlay.qcow2', 'qcow2', '1M', { backing: ['/etc/passwd', 'raw'] });
    const overlay = await violates([inFolder('overlay.qcow2')], 'backing-file');
    expect(detailOf(overlay, 'backing-file')).toContain('"/etc/passwd", with the format "raw"');
    create(folder, 'overlay.qcow', 'qcow', '1M', { backing: ['/etc/passwd', 'raw'] });
    await violates([inFolder('overlay.qcow')], 'backing-file');
    create(folder, 'external.qcow2', 'qcow2', '1M', { o: `data_file=${inFolder('external.data')}` });
    const external = await violates([inFolder('external.qcow2')], 'data-file');
    expect(detailOf(external, 'data-file')).toContain(`"${inFolder('external.data')}"`);
  });

  it('sees control characters in names', async () => {
    create(folder, 'named.qcow2', 'qcow2', '1M', { backing: ['a\u001b[2J\u202e', 'raw'] });
    const report = await violates([inFolder('named.qcow2')], 'backing-file', 'names');
    expect(detailOf(report, 'names')).toContain('"a\\u001b[2J\\u202e"');
  });

  it('sees encryption', async () => {
    createEncrypted(folder, 'luks.qcow2', 'qcow2', 'luks', '1M');
    createEncrypted(folder, 'aes.qcow', 'qcow', 'aes', '1M');
    await violates([inFolder('luks.qcow2')], 'encryption');
    await violates([inFolder('aes.qcow')], 'encryption');
  });

  it('sees internal snapshots', async () => {
    create(folder, 'snapshots.qcow2', 'qcow2', '1M');
    qemuImg(folder, 'snapshot', '-c', 'one', 'snapshots.qcow2');
    await violates([inFolder('snapshots.qcow2')], 'snapshots');
  });

  it.for([
    [1, 'dirty'],
    [2, 'corrupt'],
  ] as const)('sees incompatible feature bit value %i: %s', async ([bits, word]) => {
    create(folder, 'marked.qcow2', 'qcow2', '1M');
    patch(inFolder('marked.qcow2'), 79, Uint8Array.of(bits));
    const report = await violates([inFolder('marked.qcow2')], 'clean');
    expect(detailOf(report, 'clean')).toContain(word);
  });

  it.for([
    ['a declared raw disk that is a qcow2', 0, 'QFI\xfb', ['-f', 'raw'], ['format']],
    ['a VHD footer', -512, 'conectix', [], ['polyglot']],
    ['an ISO file system', 0x8001, 'CD001', [], ['polyglot']],
    ['a boot sector', 510, '\x55\xaa', [], ['polyglot']],
    ['a GUID partition table', 4096, 'EFI PART', [], ['polyglot']],
    ['a VDI, in what is the offset of snapshots', 0x40, '\x7f\x10\xda\xbe', [], ['polyglot', 'features']],
  ] as const)('sees a second face: %s', async ([, at, text, args, checks]) => {
    create(folder, 'two.qcow2', 'qcow2', '1M');
    truncateSync(inFolder('two.qcow2'), 4 * 65_536);
    patch(inFolder('two.qcow2'), at < 0 ? 4 * 65_536 + at : at, Buffer.from(text, 'latin1'));
    await violates([...args, inFolder('two.qcow2')], ...checks);
  });

  it('sees what cannot be opened, and does not fail itself', async () => {
    create(folder, 'good.qcow2', 'qcow2', '10M');
    qemuIo(folder, 'good.qcow2', 'qcow2', 'write -P 1 0 1M');
    const bad = inFolder('bad.qcow2');
    const damages: readonly (readonly [number, readonly number[], string])[] = [
      [72, [0x80], 'features'], // an unknown incompatible feature
      [7, [9], 'features'], // version 9
      [35, [9], 'features'], // an unknown crypt_method
      [23, [40], 'well-formed'], // cluster_bits
      [36, [0xff, 0xff, 0xff, 0xff], 'well-formed'], // l1_size
      [40, [0, 0, 0x10], 'well-formed'], // l1_table_offset far past the end
      [8, [0, 0, 0, 0, 0, 0, 2, 0, 0, 1], 'well-formed'], // a backing name of 64 KiB
      [24, [0x7f], 'features'], // a size past 2^53
    ];
    for (const [at, bytes, check] of damages) {
      copyFileSync(inFolder('good.qcow2'), bad);
      patch(bad, at, Uint8Array.from(bytes));
      const report = await violates([bad], check);
      expect(detailOf(report, check)).toMatch(/^ERR_[A-Z_]+: /);
      expect(report.checks.filter(({ verdict }) => verdict === 'unknown').length).toBeGreaterThan(5);
    }
    truncateSync(bad, 60);
    await violates([bad], 'well-formed');
  });

  it('sees tables that contradict each other', async () => {
    copyFileSync(inFolder('good.qcow2'), inFolder('tables.qcow2'));
    const { l2, refcountBlock } = tablesOf(inFolder('tables.qcow2'));
    writeU64(inFolder('tables.qcow2'), l2, (1n << 63n) | BigInt(refcountBlock));
    await violates([inFolder('tables.qcow2')], 'metadata');
    copyFileSync(inFolder('good.qcow2'), inFolder('snapless.qcow2'));
    patch(inFolder('snapless.qcow2'), 60, Uint8Array.of(0, 0, 0xff, 0xff)); // nb_snapshots
    const report = await violates([inFolder('snapless.qcow2')], 'clean', 'metadata');
    expect(report.checks.find(({ check }) => check === 'snapshots')?.verdict).toBe('unknown');
  });

  it('sees a bomb: one compressed cluster that thousands of entries refer to', async () => {
    create(folder, 'bomb.qcow2', 'qcow2', '256G', { o: 'cluster_size=2M,refcount_bits=64' });
    qemuIo(folder, 'bomb.qcow2', 'qcow2', 'write -c -P 90 0 2M');
    const { l2 } = tablesOf(inFolder('bomb.qcow2'));
    const table = Buffer.alloc(100_000 * 8);
    const entry = readU64(inFolder('bomb.qcow2'), l2);
    for (let at = 0; at < table.length; at += 8) table.writeBigUInt64BE(entry, at);
    patch(inFolder('bomb.qcow2'), l2, table);
    const report = await violates([inFolder('bomb.qcow2')], 'metadata', 'compression');
    expect(detailOf(report, 'compression')).toMatch(/1000 is allowed$/);
  });
});

describeWithQemu('inspect on the command line', () => {
  it('prints a line for each check', async () => {
    create(folder, 'lines.qcow2', 'qcow2', '1M');
    const lines = (await output(folder, 'inspect', 'lines.qcow2')).split('\n');
    expect(lines.slice(0, 2)).toEqual(['image: lines.qcow2', 'format: qcow2']);
    expect(lines.slice(2, -2).map((line) => line.split(/ +/, 2))).toEqual(
      CHECKS.map((check) => ['pass', check]),
    );
    expect(lines.slice(-2)).toEqual(['verdict: pass', '']);
  });

  it.for([
    ['ERR_NOT_FOUND', ['nope']],
    ['ERR_ARGUMENT', ['.']],
    ['ERR_UNKNOWN_FORMAT', ['-f', 'vmdk', 'lines.qcow2']],
    ['ERR_ARGUMENT', ['--max-ratio', '0', 'lines.qcow2']],
    ['ERR_ARGUMENT', ['--max-virtual-size', 'much', 'lines.qcow2']],
  ] as const)('ends with 1 for an error: %s of %j', async ([code, args]) => {
    const { status, stdout, stderr } = await runHere(
      'inspect',
      ...args.slice(0, -1),
      inFolder(args.at(-1) ?? ''),
    );
    expect(stderr).toMatch(new RegExp(`^diskstack: ${code}: .+\n$`));
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 1, stdout: '' });
  });
});
