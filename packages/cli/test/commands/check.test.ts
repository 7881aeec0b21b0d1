import { copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { counting } from '../support/images.ts';
import { patch, readU64, tablesOf, writeU64 } from '../support/qcow2-bytes.ts';
import {
  create,
  createEncrypted,
  describeWithQemu,
  encryptedArgs,
  encryptedIo,
  qemuImg,
  qemuIo,
  tryQemuImg,
} from '../support/qemu.ts';
import { diskstack, output } from '../support/run-cli.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();

type Report = Record<string, unknown> & { findings: { kind: string; message: string; offset?: number }[] };

async function check(name: string): Promise<{ status: number | null; report: Report }> {
  const { status, stdout, stderr } = await runHere('check', '--output', 'json', join(folder, name));
  const report: Report = JSON.parse(stdout.toString());
  if (report['check-errors'] === 0) expect(stderr).toBe('');
  else expect(stderr).toMatch(/^diskstack: ERR_CORRUPT: .+\n$/);
  return { status, report };
}

/** The same numbers, the same keys, the same exit status. */
async function sameAsQemu(name: string, qemuArgs = [join(folder, name)]): Promise<Report> {
  const expected = tryQemuImg(folder, 'check', '--output', 'json', ...qemuArgs);
  const { status, report } = await check(name);
  const { findings, ...numbers } = report;
  expect(numbers).toEqual({ ...JSON.parse(expected.stdout), filename: join(folder, name) });
  expect(status).toBe(expected.status);
  const { leaks = 0, corruptions = 0 } = numbers;
  expect(findings.filter(({ kind }) => kind === 'leak')).toHaveLength(Number(leaks));
  expect(findings.filter(({ kind }) => kind === 'corruption')).toHaveLength(Number(corruptions));
  return report;
}

const damages: Readonly<Record<string, (path: string) => void>> = {
  'a cluster that nothing refers to': (path) => writeU64(path, tablesOf(path).l2, 0n),
  'many clusters that nothing refers to': (path) => writeU64(path, tablesOf(path).l1, 0n),
  'a refcount that is too low': (path) => {
    const cluster = Number(readU64(path, tablesOf(path).l2) & 0xff_ffff_ffffn) / 65_536;
    patch(path, tablesOf(path).refcountBlock + cluster * 2, Uint8Array.of(0, 0));
  },
  'a refcount that is too high': (path) => {
    const cluster = Number(readU64(path, tablesOf(path).l2) & 0xff_ffff_ffffn) / 65_536;
    patch(path, tablesOf(path).refcountBlock + cluster * 2, Uint8Array.of(0, 7));
  },
  'a cluster that is used twice': (path) => {
    const { l2 } = tablesOf(path);
    writeU64(path, l2 + 8, readU64(path, l2));
  },
  'a COPIED bit that is missing in the L2 table': (path) => {
    const { l2 } = tablesOf(path);
    writeU64(path, l2, readU64(path, l2) & ~(1n << 63n));
  },
  'a COPIED bit that is missing in the L1 table': (path) => {
    const { l1 } = tablesOf(path);
    writeU64(path, l1, readU64(path, l1) & ~(1n << 63n));
  },
  'a data cluster that is not aligned': (path) => {
    const { l2 } = tablesOf(path);
    writeU64(path, l2, readU64(path, l2) + 512n);
  },
  'a data cluster past the end of the file': (path) =>
    writeU64(path, tablesOf(path).l2, (1n << 63n) | (1n << 40n)),
  'a data cluster in the refcount block': (path) => {
    const { l2, refcountBlock } = tablesOf(path);
    writeU64(path, l2, (1n << 63n) | BigInt(refcountBlock));
  },
  'reserved bits in the L2 table': (path) => {
    const { l2 } = tablesOf(path);
    writeU64(path, l2, readU64(path, l2) | (1n << 57n));
  },
  'a refcount table past the end of the file': (path) => writeU64(path, 48, 1n << 40n),
  'a refcount block that is not aligned': (path) => {
    const { refcounts } = tablesOf(path);
    writeU64(path, refcounts, readU64(path, refcounts) + 512n);
  },
};

describeWithQemu('check finds what qemu-img check finds', () => {
  const images: readonly (readonly [string, string, string | undefined, ...string[]])[] = [
    ['empty', '0', undefined],
    ['nothing', '10M', undefined],
    ['data', '10M', undefined, 'write -P 1 0 1M', 'write -P 2 5M 100k'],
    ['fragments', '10M', undefined, 'write -P 1 1M 64k', 'write -P 1 0 64k', 'write -P 1 64k 64k'],
    ['compressed', '10M', undefined, 'write -c -P 1 0 64k', 'write -c -P 2 64k 64k', 'write -P 3 128k 64k'],
    ['zeroes', '10M', undefined, 'write -P 1 0 192k', 'write -z 64k 64k', 'write -z -u 128k 64k'],
    ['old', '10M', 'compat=0.10', 'write -P 1 0 1M'],
    ['small-clusters', '3M', 'cluster_size=512', 'write -P 1 0 700k'],
    ['extended', '10M', 'extended_l2=on', 'write -P 1 4k 8k', 'write -z 32k 16k', 'write -P 2 1M 64k'],
    ['refcounts-of-1-bit', '10M', 'refcount_bits=1', 'write -P 1 0 1M'],
    ['refcounts-of-8-bits', '10M', 'refcount_bits=8', 'write -P 1 0 1M'],
    ['refcounts-of-64-bits', '10M', 'refcount_bits=64', 'write -P 1 0 1M'],
  ];
  for (const [name, size, o, ...commands] of images) {
    create(folder, name, 'qcow2', size, o === undefined ? {} : { o });
    if (commands.length > 0) qemuIo(folder, name, 'qcow2', ...commands);
  }

  it.for(images.map(([name]) => name))('in an image without errors: %s', async (name) => {
    await sameAsQemu(name);
  });

  it('in an image with snapshots', async () => {
    create(folder, 'snapshots', 'qcow2', '10M');
    for (const [index, write] of ['write -P 1 0 1M', 'write -P 2 64k 64k', 'write -z 0 64k'].entries()) {
      qemuIo(folder, 'snapshots', 'qcow2', write);
      qemuImg(folder, 'snapshot', '-c', `number ${index}`, 'snapshots');
    }
    await sameAsQemu('snapshots');
  });

  it('in an image with bitmaps', async () => {
    create(folder, 'bitmaps', 'qcow2', '100M');
    qemuImg(folder, 'bitmap', '--add', 'bitmaps', 'one');
    qemuImg(folder, 'bitmap', '--add', '-g', '4k', 'bitmaps', 'two');
    qemuIo(folder, 'bitmaps', 'qcow2', 'write -P 1 0 1M');
    await sameAsQemu('bitmaps');
  });

  it('in an image with an external data file', async () => {
    create(folder, 'external', 'qcow2', '10M', { o: `data_file=${join(folder, 'external.data')}` });
    qemuIo(folder, 'external', 'qcow2', 'write -P 1 0 1M');
    await sameAsQemu('external');
  });

  it.for(['luks', 'aes'] as const)('in an encrypted image, for which it needs no key: %s', async (kind) => {
    createEncrypted(folder, kind, 'qcow2', kind, '10M');
    encryptedIo(folder, kind, 'qcow2', 'write -P 1 0 1M');
    await sameAsQemu(kind, encryptedArgs(join(folder, kind), 'qcow2'));
  });

  it.for(Object.keys(damages))('in an image with %s', async (damage) => {
    create(folder, 'damaged', 'qcow2', '10M');
    qemuIo(folder, 'damaged', 'qcow2', 'write -P 1 0 1M');
    damages[damage]?.(join(folder, 'damaged'));
    const { findings } = await sameAsQemu('damaged');
    expect(findings).not.toEqual([]);
  });

  it('and ends with 3 where there are leaks alone, with 2 where there is corruption', async () => {
    for (const [name, damage, status] of [
      ['leak', 'a cluster that nothing refers to', 3],
      ['corruption', 'a refcount that is too low', 2],
    ] as const) {
      copyFileSync(join(folder, 'data'), join(folder, name));
      damages[damage]?.(join(folder, name));
      expect((await check(name)).status).toBe(status);
    }
  });

  it.for(['data', 'nothing', 'leak', 'corruption'])('and says it in the same lines: %s', async (name) => {
    const { stdout } = await runHere('check', join(folder, name));
    const said = stdout.toString().replace(/^(ERROR|Leaked): .+ \(at byte 0x[0-9a-f]+\)\n/gm, '');
    expect(said).toBe(tryQemuImg(folder, 'check', name).stdout);
  });
});

describeWithQemu('check, where it cannot check', () => {
  it.for(['raw', 'qcow'])('ends as qemu-img does for a format that has no check: %s', async (format) => {
    create(folder, `image.${format}`, format, '1M');
    for (const flags of [[], ['-r', 'all'], ['--output', 'json']]) {
      const path = join(folder, `image.${format}`);
      const theirs = tryQemuImg(folder, 'check', '-f', format, ...flags, path);
      const { status, stdout, stderr } = await runHere('check', ...flags, path);
      expect(stderr).toBe('diskstack: ERR_UNSUPPORTED: This image format does not support checks\n');
      expect({ status, stdout: stdout.toString() }).toEqual({ status: theirs.status, stdout: '' });
      expect(status).toBe(63);
    }
  });

  it('tells each entry that a repair drops, as text and as JSON', async () => {
    const path = join(folder, 'dropping.qcow2');
    for (const output of ['human', 'json']) {
      create(folder, 'dropping.qcow2', 'qcow2', '4M');
      qemuIo(folder, 'dropping.qcow2', 'qcow2', 'write -P 1 0 256k');
      const { l2 } = tablesOf(path);
      writeU64(path, l2, readU64(path, l2) + 512n);
      writeU64(path, l2 + 8, (1n << 63n) | (1n << 40n));
      const { status, stdout } = await runHere('check', '-r', 'all', '--output', output, path);
      expect(status).toBe(0);
      if (output === 'json') {
        const report = JSON.parse(stdout.toString());
        expect(report['entries-dropped']).toBe(2);
        expect(report.dropped.map(({ offset }: { offset: number }) => offset)).toEqual([l2, l2 + 8]);
      } else {
        expect(stdout.toString()).toContain(`(entry at byte 0x${l2.toString(16)})`);
        expect(stdout.toString().match(/^Dropped: .+$/gm)).toHaveLength(2);
      }
      expect(tryQemuImg(folder, 'check', path).status).toBe(0);
    }
  });

  it('ends with 1 and one line when the image cannot be opened', async () => {
    writeFileSync(join(folder, 'text'), counting(1000));
    const { status, stderr } = await runHere('check', '-f', 'qcow2', join(folder, 'text'));
    expect(stderr).toMatch(/^diskstack: ERR_NOT_THIS_FORMAT: .+\n$/);
    expect(status).toBe(1);
  });

  it('ends with 1 when a structure cannot be looked at, and tells what it did find', async () => {
    create(folder, 'blind', 'qcow2', '10M');
    qemuIo(folder, 'blind', 'qcow2', 'write -P 1 0 1M');
    damages['a refcount block that is not aligned']?.(join(folder, 'blind'));
    const { status, report } = await check('blind');
    expect(report['check-errors']).toBeGreaterThan(0);
    expect(report.corruptions).toBeGreaterThan(0);
    expect(status).toBe(1);
  });

  it('tells no more findings than it keeps, and counts them all', async () => {
    create(folder, 'many', 'qcow2', '300M');
    qemuIo(folder, 'many', 'qcow2', 'write -P 1 0 200M');
    const { l1 } = tablesOf(join(folder, 'many'));
    writeU64(join(folder, 'many'), l1, 0n);
    const { report } = await check('many');
    expect(report.leaks).toBe(200 * 16 + 1);
    expect(report.findings).toHaveLength(1000);
    const { stdout } = await runHere('check', join(folder, 'many'));
    expect(stdout.toString()).toContain(`\n… and ${200 * 16 + 1 - 1000} more\n`);
  });

  it('opens nothing but the image', async () => {
    create(folder, 'overlay', 'qcow2', '1M', { backing: ['/etc/nowhere/base', 'raw'] });
    const { status, report } = await check('overlay');
    expect({ status, findings: report.findings }).toEqual({ status: 0, findings: [] });
  });
});

describeWithQemu('check, as a process', () => {
  it('never takes a file that ends early for a clean image', async () => {
    create(folder, 'short', 'qcow2', '10M');
    qemuIo(folder, 'short', 'qcow2', 'write -P 1 0 1M');
    truncateSync(join(folder, 'short'), 6 * 65_536);
    const { status } = await diskstack(folder, 'check', 'short');
    expect(status).toBe(tryQemuImg(folder, 'check', 'short').status);
    expect(status).not.toBe(0);
  });

  it('ends with 0 when all is well', async () => {
    create(folder, 'plain', 'qcow2', '1M');
    expect(await output(folder, 'check', 'plain')).toContain('No errors were found on the image.\n');
  });
});
