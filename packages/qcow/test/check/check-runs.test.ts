import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkFile, numbersOf } from '../support/check.ts';
import { patchImage } from '../support/image-patch.ts';
import { checkWithQemu, describeWithQemu, plainSource, qemuImg } from '../support/qemu.ts';
import { tempFolder } from '../support/temp-folder.ts';

// A check handles entries whose clusters follow each other in one step. Each test damages one entry in such a run.

const CLUSTER = 512;
const COPIED = 1n << 63n;

describeWithQemu('check of runs of clusters', () => {
  const temp = tempFolder();

  /** 64 entries in each L2 table and in each refcount block, so runs cross blocks. */
  async function preallocated(): Promise<string> {
    const path = join(await temp.next(), 'disk.qcow2');
    const options = `cluster_size=${CLUSTER},refcount_bits=64,preallocation=metadata`;
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, '256k');
    return path;
  }

  async function expectFindings(path: string, expected: readonly object[]): Promise<void> {
    const report = await checkFile(path);
    expect(report.findings).toEqual(expected);
    expect(numbersOf(report)).toEqual(await checkWithQemu(...plainSource(path, 'qcow2')));
  }

  test('a clean image has no finding', async () => {
    const path = await preallocated();
    await expectFindings(path, []);
    expect(await checkFile(path)).toMatchObject({ allocatedClusters: 512, fragmentedClusters: 0 });
  });

  test.for([0, 1, 30, 62, 63])('a refcount in the middle of a run: entry %s', async (index) => {
    const path = await preallocated();
    let [entryAt, host] = [0, 0];
    await patchImage(path, (image) => {
      entryAt = image.l2EntryAt(index, 3);
      host = image.place(entryAt);
      const block = image.place(image.refcountTableAt + Math.floor(host / CLUSTER / 64) * 8);
      image.u64(block + ((host / CLUSTER) % 64) * 8, () => 2n);
    });
    const cluster = host / CLUSTER;
    await expectFindings(path, [
      {
        kind: 'corruption',
        message: `the COPIED bit of a cluster at byte 0x${host.toString(16)} is 1, its refcount is 2`,
        offset: entryAt,
      },
      { kind: 'leak', message: `cluster ${cluster} has refcount 2, 1 references`, offset: host },
    ]);
  });

  test.for([0, 1, 30, 63])('a COPIED bit in the middle of a run: entry %s', async (index) => {
    const path = await preallocated();
    let [entryAt, host] = [0, 0];
    await patchImage(path, (image) => {
      entryAt = image.l2EntryAt(index, 3);
      host = image.place(entryAt);
      image.u64(entryAt, (entry) => entry & ~COPIED);
    });
    await expectFindings(path, [
      {
        kind: 'corruption',
        message: `the COPIED bit of a cluster at byte 0x${host.toString(16)} is 0, its refcount is 1`,
        offset: entryAt,
      },
    ]);
  });

  test('entries that follow each other up to the end of the file and past it', async () => {
    const path = await preallocated();
    let end = 0;
    await patchImage(path, (image) => {
      end = image.bytes.length;
      // Four entries that go on after the last one of the file.
      for (let index = 0; index < 4; index++)
        image.u64(image.l2EntryAt(60 + index, 7), () => COPIED | BigInt(end + (index - 2) * CLUSTER));
    });
    const report = await checkFile(path);
    const lost = report.findings.filter(({ message }) => message.includes('the file ends at'));
    expect(lost.map(({ message }) => message)).toEqual([
      `a cluster from byte 0x${end.toString(16)} to 0x${(end + CLUSTER).toString(16)}, the file ends at 0x${end.toString(16)}`,
      `a cluster from byte 0x${(end + CLUSTER).toString(16)} to 0x${(end + 2 * CLUSTER).toString(16)}, the file ends at 0x${end.toString(16)}`,
    ]);
    const { corruptions, leaks } = numbersOf(report);
    expect(await checkWithQemu(...plainSource(path, 'qcow2'))).toMatchObject({ corruptions, leaks });
  });

  test('two runs over the same clusters, in two tables', async () => {
    const path = await preallocated();
    await patchImage(path, (image) => {
      for (let index = 0; index < 64; index++) {
        const shared = BigInt(image.place(image.l2EntryAt(index, 1)));
        image.u64(image.l2EntryAt(index, 2), () => COPIED | shared);
      }
    });
    const report = await checkFile(path);
    expect(numbersOf(report)).toEqual(await checkWithQemu(...plainSource(path, 'qcow2')));
    expect(report).toMatchObject({ corruptions: 64, leaks: 64 });
  });

  test('runs of extended entries end where sub-clusters contradict each other', async () => {
    const path = join(await temp.next(), 'disk.qcow2');
    const options = 'cluster_size=16k,extended_l2=on,preallocation=metadata';
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, '2M');
    let entryAt = 0;
    await patchImage(path, (image) => {
      entryAt = image.l2At(0) + 40 * 16;
      image.u64(entryAt + 8, (bitmap) => bitmap | (1n << 32n) | 1n);
    });
    const { findings, allocatedClusters } = await checkFile(path);
    expect(findings).toEqual([
      expect.objectContaining({
        kind: 'corruption',
        offset: entryAt,
        message: expect.stringContaining('both'),
      }),
    ]);
    expect(allocatedClusters).toBe(128);
  });

  test('clusters that no refcount block counts are found one by one, in order', async () => {
    const path = await preallocated();
    let block = 0;
    await patchImage(path, (image) => {
      block = image.place(image.refcountTableAt + 3 * 8) / CLUSTER;
      image.u64(image.refcountTableAt + 3 * 8, () => 0n);
    });
    const report = await checkFile(path);
    expect(numbersOf(report)).toEqual(await checkWithQemu(...plainSource(path, 'qcow2')));
    const missing = report.findings.filter(({ message }) => message.includes('has refcount 0, 1 references'));
    expect(missing.map(({ offset = 0 }) => offset / CLUSTER)).toEqual(
      Array.from({ length: 64 }, (_, index) => 192 + index).filter((cluster) => cluster !== block),
    );
  });
});
