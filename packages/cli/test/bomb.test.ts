import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { patch, readU64, tablesOf } from './support/qcow2-bytes.ts';
import { create, describeWithQemu, qemuIo } from './support/qemu.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const folder = tempFolder();
const MIB = 1024 * 1024;

afterEach(() => vi.restoreAllMocks());

describeWithQemu('a bomb: all clusters of 256 MiB are one compressed stream', () => {
  const image = join(folder, 'bomb.qcow2');

  /** Every entry of the L2 table is the one compressed cluster, every entry of the L1 table that L2 table. */
  function makeBomb(): void {
    create(folder, 'bomb.qcow2', 'qcow2', '256M', { o: 'cluster_size=4k' });
    qemuIo(folder, 'bomb.qcow2', 'qcow2', 'write -c -P 90 0 4k');
    const { l1, l2 } = tablesOf(image);
    for (const [at, entries] of [
      [l2, 512],
      [l1, 128],
    ] as const) {
      const table = Buffer.alloc(entries * 8);
      const entry = readU64(image, at);
      for (let index = 0; index < entries; index++) table.writeBigUInt64BE(entry, index * 8);
      patch(image, at, table);
    }
  }

  it('--untrusted stops it, however long the command runs; without, it is read', async () => {
    makeBomb();
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 3_600_000;
      return now;
    });
    const { status, stdout, stderr } = await runHere('digest', '--untrusted', image);
    expect({ status, stdout: String(stdout) }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /ERR_LIMIT: .*maxInflationRatio allows \d+ .*\(--limit maxInflationRatio=VALUE sets it\)\n$/,
    );
    expect(clock).toHaveBeenCalled();
    expect((await runHere('read', '--raw', image, String(200 * MIB), '16')).stdout).toEqual(
      Buffer.alloc(16, 90),
    );
    const trusted = await runHere('digest', image);
    expect({ status: trusted.status, stderr: trusted.stderr }).toEqual({ status: 0, stderr: '' });
  });
});
