import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { counting, forgetBackingFormat, sparseFile } from '../support/images.ts';
import { create, createEncrypted, describeWithQemu, qemuImg } from '../support/qemu.ts';
import { diskstack, output } from '../support/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();

type Report = Record<string, unknown>;

async function info(...args: string[]): Promise<Report> {
  return JSON.parse(await output(folder, 'info', '--output', 'json', ...args));
}

/** The one key of a snapshot that qemu-img does not have. */
function withoutDiskSizes(report: Report): Report {
  if (!Array.isArray(report.snapshots)) return report;
  const snapshots = report.snapshots.map(({ 'disk-size': _, ...rest }: Report) => rest);
  return { ...report, snapshots };
}

const ESSIV =
  ',encrypt.cipher-alg=aes-128,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256';

describeWithQemu('info says what qemu-img info says', () => {
  sparseFile(join(folder, 'base.raw'), 1 << 20, [[4096, counting(8192)]]);
  mkdirSync(join(folder, 'sub'));
  const images: readonly (readonly [string, string, string, Parameters<typeof create>[4]?])[] = [
    ['plain.qcow2', 'qcow2', '12M'],
    ['old.qcow2', 'qcow2', '1M', { o: 'compat=0.10' }],
    ['small-clusters.qcow2', 'qcow2', '5M', { o: 'cluster_size=512' }],
    ['large-clusters.qcow2', 'qcow2', '5G', { o: 'cluster_size=2M,lazy_refcounts=on,refcount_bits=8' }],
    ['extended.qcow2', 'qcow2', '1M', { o: 'extended_l2=on' }],
    ['zstd.qcow2', 'qcow2', '1M', { o: 'compression_type=zstd' }],
    ['overlay.qcow2', 'qcow2', '2M', { backing: ['base.raw', 'raw'] }],
    ['sub/overlay.qcow2', 'qcow2', '2M', { backing: ['../base.raw', 'raw'] }],
    ['absolute.qcow2', 'qcow2', '2M', { backing: [join(folder, 'base.raw'), 'raw'] }],
    ['third.qcow2', 'qcow2', '3M', { backing: ['overlay.qcow2', 'qcow2'] }],
    ['protocol.qcow2', 'qcow2', '1M', { backing: ['nbd://host/disk', 'raw'] }],
    ['missing.qcow2', 'qcow2', '1M', { backing: ['gone.raw', 'raw'] }],
    ['v1.qcow', 'qcow', '1M'],
    ['v1-overlay.qcow', 'qcow', '1M', { backing: ['base.raw', 'raw'] }],
    ['disk.raw', 'raw', '3M'],
  ];
  for (const [name, format, size, options] of images) create(folder, name, format, size, options);
  create(folder, 'snapshots.qcow2', 'qcow2', '10M');
  qemuImg(folder, 'snapshot', '-c', 'one', 'snapshots.qcow2');
  qemuImg(folder, 'resize', '-q', 'snapshots.qcow2', '12M');
  qemuImg(folder, 'snapshot', '-c', 'one whose name is longer than its column', 'snapshots.qcow2');
  create(folder, 'old-snapshots.qcow2', 'qcow2', '10M', { o: 'compat=0.10' });
  qemuImg(folder, 'snapshot', '-c', '1', 'old-snapshots.qcow2');
  create(folder, 'bitmaps.qcow2', 'qcow2', '10M');
  qemuImg(folder, 'bitmap', '--add', 'bitmaps.qcow2', 'one');
  qemuImg(folder, 'bitmap', '--add', '--disable', '-g', '4k', 'bitmaps.qcow2', 'two words');
  create(folder, 'external.qcow2', 'qcow2', '1M', { o: `data_file=${join(folder, 'external.data')}` });
  create(folder, 'external-raw.qcow2', 'qcow2', '1M', {
    o: `data_file=${join(folder, 'external.raw')},data_file_raw=on`,
  });
  createEncrypted(folder, 'luks.qcow2', 'qcow2', 'luks', '1M');
  createEncrypted(folder, 'essiv.qcow2', 'qcow2', 'luks', '1M', ESSIV);
  createEncrypted(folder, 'aes.qcow2', 'qcow2', 'aes', '1M');
  createEncrypted(folder, 'aes.qcow', 'qcow', 'aes', '1M');
  const rich = [
    'snapshots',
    'old-snapshots',
    'bitmaps',
    'external',
    'external-raw',
    'luks',
    'essiv',
    'aes',
  ].map((name) => `${name}.qcow2`);
  const names = [
    'base.raw',
    ...images.map(([name]) => name),
    ...rich,
    'aes.qcow',
    './sub/../overlay.qcow2',
    'sub//overlay.qcow2',
  ];

  it.for(names)('about %s', async (name) => {
    const expected: Report = JSON.parse(qemuImg(folder, 'info', '--output', 'json', name));
    const found = await info(name);
    expect(
      withoutDiskSizes(Object.fromEntries(Object.keys(expected).map((key) => [key, found[key]]))),
    ).toEqual(expected);
  });

  it.for(['third.qcow2', './third.qcow2', 'sub/overlay.qcow2', 'v1-overlay.qcow'])(
    'about the backing chain of %s',
    async (name) => {
      const args = ['--backing-chain', name];
      const expected: Report[] = JSON.parse(qemuImg(folder, 'info', '--output', 'json', ...args));
      const found: Report[] = JSON.parse(
        await output(folder, 'info', '--output', 'json', '--allow-backing', '.', ...args),
      );
      expect(found).toHaveLength(expected.length);
      expected.forEach((report, depth) => {
        const own = found[depth] ?? {};
        expect(Object.fromEntries(Object.keys(report).map((key) => [key, own[key]]))).toEqual(report);
      });
    },
  );

  it.for(['plain.qcow2', 'disk.raw', 'absolute.qcow2', 'sub/overlay.qcow2', ...rich, 'aes.qcow'])(
    'about %s in the same lines',
    async (name) => {
      const expected = qemuImg(folder, 'info', name).trimEnd();
      expect(await output(folder, 'info', name)).toContain(expected);
    },
  );

  it('of an image that was not closed: it is dirty', async () => {
    create(folder, 'dirty.qcow2', 'qcow2', '1M', { o: 'lazy_refcounts=on' });
    const fd = openSync(join(folder, 'dirty.qcow2'), 'r+');
    writeSync(fd, Uint8Array.of(1), 0, 1, 79); // incompatible feature bit 0
    closeSync(fd);
    const found = await info('dirty.qcow2');
    expect(found['dirty-flag']).toBe(true);
    expect(found.warnings).toEqual([expect.any(String)]);
    const text = await output(folder, 'info', 'dirty.qcow2');
    expect(text).toContain('\ncleanly shut down: no\n');
    expect(text).toMatch(/\nwarning: .+\n/);
  });
});

describeWithQemu('info, beyond qemu-img', () => {
  it('tells the column of layers', async () => {
    expect((await info('overlay.qcow2'))['disk-type']).toBe('QCOW');
    expect((await info('base.raw'))['disk-type']).toBe('RAW');
  });

  it('tells what a backing disk was found to be when the image does not say it', async () => {
    create(folder, 'unsaid.qcow2', 'qcow2', '2M', { backing: ['overlay.qcow2', 'qcow2'] });
    forgetBackingFormat(join(folder, 'unsaid.qcow2'));
    expect(await info('unsaid.qcow2')).not.toHaveProperty('probed-backing-format');
    const chain = JSON.parse(
      await output(folder, 'info', '--output', 'json', '--backing-chain', 'unsaid.qcow2'),
    );
    expect(chain.map((report: Report) => report['probed-backing-format'])).toEqual([
      'qcow2',
      undefined,
      undefined,
    ]);
    expect(await output(folder, 'info', '--backing-chain', 'unsaid.qcow2')).toContain(
      '\nbacking file format (probed): qcow2\n',
    );
  });

  it('tells the size that the disk had when a snapshot was taken', async () => {
    const { snapshots } = await info('snapshots.qcow2');
    expect((snapshots as Report[]).map((snapshot) => snapshot['disk-size'])).toEqual([10 << 20, 12 << 20]);
  });

  it('draws the stack below the layers of a chain', async () => {
    expect(await output(folder, 'info', '--backing-chain', 'overlay.qcow2')).toMatch(
      new RegExp(
        [
          '\n\nstack:',
          '    qcow2 "overlay.qcow2" 2097152 bytes',
          '    ├─ in: storage "overlay.qcow2" \\d+ bytes',
          '    └─ on: raw "base.raw" 1048576 bytes',
          '       └─ in: storage ".*base.raw" 1048576 bytes\n$',
        ].join('\n'),
      ),
    );
  });

  it('opens nothing but the image', async () => {
    create(folder, 'loop.qcow2', 'qcow2', '1M', { backing: ['/etc/shadow', 'raw'] });
    expect(await info('--untrusted', 'loop.qcow2')).toMatchObject({ 'backing-filename': '/etc/shadow' });
  });

  it('tells the signature of a master boot record, where it can be read without a backing disk', async () => {
    const sector = new Uint8Array(512);
    sector.set([0x78, 0x56, 0x34, 0x12], 0x1b8);
    sector.set([0x55, 0xaa], 510);
    sparseFile(join(folder, 'mbr.raw'), 1 << 20, [[0, sector]]);
    create(folder, 'mbr.qcow2', 'qcow2', '1M', { backing: ['mbr.raw', 'raw'] });
    expect((await info('mbr.raw'))['disk-signature']).toBe('0x12345678');
    expect(await info('mbr.qcow2')).not.toHaveProperty('disk-signature');
    const chain = JSON.parse(
      await output(folder, 'info', '--output', 'json', '--backing-chain', 'mbr.qcow2'),
    );
    expect(chain.map((report: Report) => report['disk-signature'])).toEqual(['0x12345678', '0x12345678']);
    expect(await info('base.raw')).not.toHaveProperty('disk-signature');
  });

  it('shows a hostile name without letting it reach the terminal', async () => {
    const name = 'a\u001b[2J\u202eb\nc\u{e0041}.raw';
    create(folder, 'hostile.qcow2', 'qcow2', '1M', { backing: [name, 'raw'] });
    const json = await output(folder, 'info', '--output', 'json', 'hostile.qcow2');
    const text = await output(folder, 'info', 'hostile.qcow2');
    expect(JSON.parse(json)['backing-filename']).toBe(name);
    expect(text).toContain('\nbacking file: "a\\u001b[2J\\u202eb\\u000ac\\u{e0041}.raw"\n');
    for (const shown of [json, text]) expect(shown).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    const failed = await diskstack(folder, 'map', 'hostile.qcow2');
    expect(failed.stderr).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(failed.stderr.match(/\n/g)).toHaveLength(1);
  });
});

describe('info of a raw disk', () => {
  it('keeps a size that is no multiple of a sector', async () => {
    writeFileSync(join(folder, 'odd.raw'), counting(1000));
    expect(await info('odd.raw')).toMatchObject({ 'virtual-size': 1000, format: 'raw', filename: 'odd.raw' });
  });
});
