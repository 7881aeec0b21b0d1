import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { create, describeWithQemu, qemuImg, qemuIo, tryQemuImg } from '../support/qemu.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);
let count = 0;

interface Shape {
  readonly o?: string;
  /** The image has a base, which its zero clusters hide. */
  readonly base?: boolean;
  readonly snapshot?: boolean;
}

/** An image with data, zero clusters and compressed clusters. */
function image({ o, base, snapshot }: Shape = {}): string {
  const name = `${++count}.qcow2`;
  const options = o === undefined ? {} : { o };
  if (base) {
    create(folder, `${name}.base`, 'raw', '2M');
    qemuIo(folder, `${name}.base`, 'raw', 'write -P 9 0 2M');
    create(folder, name, 'qcow2', '4M', { ...options, backing: [`${name}.base`, 'raw'] });
  } else {
    create(folder, name, 'qcow2', '4M', options);
  }
  qemuIo(folder, name, 'qcow2', 'write -P 5 0 100k', 'write -P 6 3M 70k', 'write -c -P 7 1M 64k');
  if (snapshot) qemuImg(folder, 'snapshot', '-c', 'before', name);
  if (!o?.includes('0.10')) qemuIo(folder, name, 'qcow2', 'write -z 512k 128k', 'write -z 3M 64k');
  return name;
}

/** The content as a raw file. */
function contentOf(name: string): Buffer {
  qemuImg(folder, 'convert', '-O', 'raw', name, 'content.raw');
  return readFileSync(at('content.raw'));
}

function specificOf(name: string): unknown {
  return JSON.parse(qemuImg(folder, 'info', '--output=json', name))['format-specific'].data;
}

async function amend(name: string, o: string): Promise<{ status: number | null; stderr: string }> {
  return runHere('amend', '-f', 'qcow2', '-o', o, at(name));
}

const GOOD: readonly (readonly [Shape, string])[] = [
  [{}, 'compat=0.10'],
  [{ base: true }, 'compat=0.10'],
  [{ o: 'compat=0.10' }, 'compat=1.1'],
  [{ o: 'compat=0.10', base: true }, 'compat=1.1,lazy_refcounts=on'],
  [{ o: 'compat=0.10', snapshot: true }, 'compat=1.1,refcount_bits=64'],
  [{ o: 'lazy_refcounts=on' }, 'compat=0.10'],
  [{ o: 'lazy_refcounts=on' }, 'lazy_refcounts=off'],
  [{}, 'lazy_refcounts=on'],
  [{}, 'lazy_refcounts'],
  [{ o: 'refcount_bits=8' }, 'compat=0.10,refcount_bits=16'],
  [{ o: 'cluster_size=4k' }, 'compat=0.10'],
  [{ o: 'cluster_size=512', base: true }, 'compat=0.10'],
  ...[2, 4, 8, 16, 32, 64].map((bits) => [{ snapshot: true }, `refcount_bits=${bits}`] as const),
  [{}, 'refcount_bits=1'],
  [{ base: true, o: 'extended_l2=on' }, 'refcount_bits=32'],
  [{ o: 'compression_type=zstd' }, 'lazy_refcounts=on,refcount_bits=8'],
  [{}, 'size=8M'],
  [{}, 'size=2M,compat=0.10'],
];

describeWithQemu('amend makes of an image what qemu-img amend makes', () => {
  test.each(GOOD)('%o: -o %s', async (shape, o) => {
    const name = image(shape);
    const theirs = `theirs-${name}`;
    copyFileSync(at(name), at(theirs));
    const before = contentOf(name);
    const { status, stderr } = await amend(name, o);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(tryQemuImg(folder, 'check', name).status).toBe(0);
    expect((await runHere('check', at(name))).status).toBe(0);
    if (o.includes('size='))
      expect(contentOf(name).subarray(0, 2 << 20)).toEqual(before.subarray(0, 2 << 20));
    else expect(contentOf(name).equals(before)).toBe(true);
    qemuImg(folder, 'amend', '-f', 'qcow2', '-o', o, theirs);
    expect(specificOf(name)).toEqual(specificOf(theirs));
    if (shape.snapshot) {
      qemuImg(folder, 'snapshot', '-a', 'before', name);
      expect(tryQemuImg(folder, 'check', name).status).toBe(0);
    }
  });

  test('an image that was amended can be written again', async () => {
    const name = image({ base: true });
    expect((await amend(name, 'compat=0.10')).status).toBe(0);
    const wrote = await runHere('write', '--zeroes', '--length', '64k', '-f', 'qcow2', at(name), '0');
    expect(wrote.status).toBe(0);
    expect(tryQemuImg(folder, 'check', name).status).toBe(0);
    expect(
      contentOf(name)
        .subarray(0, 65_536)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  test('the name of the data file, and that it is raw', async () => {
    create(folder, 'd.qcow2', 'qcow2', '1M', { o: 'data_file=d.data,data_file_raw=on' });
    copyFileSync(at('d.data'), at('moved.data'));
    expect((await amend('d.qcow2', 'data_file=moved.data,data_file_raw=off')).status).toBe(0);
    expect(specificOf('d.qcow2')).toMatchObject({ 'data-file': 'moved.data', 'data-file-raw': false });
  });

  test('bitmaps stay right, for no content changes', async () => {
    const name = image();
    qemuImg(folder, 'bitmap', '--add', name, 'b');
    expect((await amend(name, 'lazy_refcounts=on,refcount_bits=32')).status).toBe(0);
    expect(specificOf(name)).toMatchObject({ bitmaps: [{ flags: ['auto'], name: 'b' }] });
    expect(tryQemuImg(folder, 'check', name).status).toBe(0);
  });

  test.each([
    [
      'no version 2 with refcounts of another width',
      { o: 'refcount_bits=8' },
      'compat=0.10',
      'refcount_bits=16',
    ],
    ['no version 2 with extended L2 entries', { o: 'extended_l2=on' }, 'compat=0.10', 'extended L2'],
    ['no version 2 with zstd', { o: 'compression_type=zstd' }, 'compat=0.10', 'compression'],
    ['no lazy refcounts in version 2', { o: 'compat=0.10' }, 'lazy_refcounts=on', 'compat=1.1'],
    ['no width that is no power of two', {}, 'refcount_bits=3', 'power of two'],
    ['nothing where a part is refused', {}, 'size=8M,refcount_bits=3', 'power of two'],
    ['no refcounts that are too narrow', { snapshot: true }, 'refcount_bits=1', 'end at 1'],
    ['no data file where there is none', {}, 'data_file=x', 'no data file'],
    ['no raw data file', {}, 'data_file_raw=on', 'raw data file'],
    ['no backing file', {}, 'backing_file=x', 'rebase'],
    ['no cluster size', {}, 'cluster_size=4k', 'created'],
    ['no key slots without a state', {}, 'encrypt.keyslot=1', 'encrypt.state'],
    ['no key slots where there are none', {}, 'encrypt.state=inactive,encrypt.keyslot=1', 'no key slots'],
    ['nothing that is not known', {}, 'foo=1', '"foo"'],
  ] as const)('%s, and the image stays as it is', async (_, shape, o, reason) => {
    const name = image(shape);
    const before = readFileSync(at(name));
    const { status, stderr } = await amend(name, o);
    expect(status).toBe(1);
    expect(stderr).toContain(reason);
    expect(readFileSync(at(name)).equals(before)).toBe(true);
  });

  test('version 2 is refused for a snapshot with zero clusters: qemu-img makes a corrupt image of it', async () => {
    const name = image();
    qemuImg(folder, 'snapshot', '-c', 'zeroes', name);
    const { status, stderr } = await amend(name, 'compat=0.10');
    expect(status).toBe(1);
    expect(stderr).toContain('zero clusters');
    expect(tryQemuImg(folder, 'check', name).status).toBe(0);
  });
});
