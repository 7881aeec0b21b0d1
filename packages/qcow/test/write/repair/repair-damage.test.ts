import { readFile } from 'node:fs/promises';
import { createDisks, DiskError, type DiskModule, type RepairReport } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { checkFile } from '../../support/check.ts';
import { able } from '../../support/crash-run.ts';
import { DAMAGES } from '../../support/damages.ts';
import { patchImage } from '../../support/image-patch.ts';
import { FORMATS } from '../../support/open.ts';
import { checkWithQemu, describeWithQemu, plainSource } from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

// After any damage, a repaired image is never worse than before, and qemu-img finds nothing wrong with it.

const disks = createDisks({ formats: FORMATS, drivers: [fileDriver()], codecs: zlibCodecs });

const PART = 4096;

/** The guest bytes of an image, and the parts of them that cannot be read, as zeroes. */
interface Content {
  readonly bytes: Uint8Array;
  readonly lost: ReadonlySet<number>;
}

async function contentOf(path: string): Promise<Content | undefined> {
  let disk: DiskModule;
  try {
    disk = await disks.open(path, { format: 'qcow2' });
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
  const bytes = new Uint8Array(disk.size());
  const lost = new Set<number>();
  for (let offset = 0; offset < bytes.length; offset += PART) {
    const part = await disk.read(offset, PART).catch(() => undefined);
    if (part === undefined) lost.add(offset);
    else bytes.set(part, offset);
  }
  await disk.close();
  return { bytes, lost };
}

async function repair(path: string, fix: 'leaks' | 'all'): Promise<RepairReport | DiskError> {
  try {
    await using disk = await disks.open(path, { mountMode: 'rw', format: 'qcow2', metadataOnly: true });
    return await able(disk, 'repair').repair({ fix });
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
}

/** The image can be written, and written content can be read. */
async function writeAnywhere(path: string): Promise<void> {
  const bytes = Buffer.alloc(3 * PART, 0x77);
  {
    await using disk = await disks.open(path, { mountMode: 'rw', format: 'qcow2' });
    for (const offset of [0, 5 * PART + 100, disk.size() - bytes.length]) await disk.write(offset, bytes);
  }
  await using disk = await disks.open(path, { format: 'qcow2' });
  expect(bytes.equals(await disk.read(5 * PART + 100, bytes.length))).toBe(true);
}

const numbersOf = async (path: string) =>
  await checkWithQemu(...plainSource(path, 'qcow2')).catch(() => undefined);

/**
 * Refused damage: nothing shows what the bitmap refers to. qemu-img makes a file of a terabyte out of it.
 */
const REFUSED: readonly string[] = [
  'a bitmap table entry outside of the file',
  'a bitmap table outside of the file',
];

/** An unreadable snapshot is left as it is, as by qemu-img. Everything else is repaired. */
const LEFT: readonly string[] = [
  'a snapshot with an L1 table at no multiple of the cluster size',
  'a snapshot with an L1 table outside of the file',
  'a snapshot with an L1 table of more than 32 MiB',
  'a snapshot with an L1 table at byte 0',
  'a snapshot with an L1 table where the active one is',
  'a snapshot with a damaged L1 table, a refcount that is too low and a COPIED bit that is missing',
  'an L2 table where the L1 table of a snapshot is',
];

describeWithQemu('repair of a damaged image', () => {
  const temp = tempFolder();
  for (const [name, damage] of Object.entries(DAMAGES)) {
    const { build, patch, keep, overlap = false, keepsContent = !overlap } = damage;
    test.concurrent(`${name}: -r all leaves nothing for qemu-img to find, and what could be read`, async () => {
      const path = await build(await temp.next());
      await patchImage(path, patch, keep);
      const damaged = await readFile(path);
      const content = await contentOf(path);
      const report = await repair(path, 'all');
      if (report instanceof DiskError) {
        expect(REFUSED, report.message).toContain(name);
        expect((await readFile(path)).equals(damaged)).toBe(true);
        return;
      }
      if (LEFT.includes(name)) {
        const { findings } = await checkFile(path);
        const corruptions = findings.filter(({ kind }) => kind === 'corruption');
        expect(corruptions).toHaveLength(1);
        expect(corruptions[0]?.message).toContain('the L1 table of snapshot 1');
        expect(Buffer.from((await contentOf(path))?.bytes ?? []).equals(content?.bytes ?? Buffer.of())).toBe(
          true,
        );
        await writeAnywhere(path);
        return;
      }
      const ours = await numbersOf(path);
      const what = JSON.stringify({ report, ours });
      expect(ours?.corruptions, what).toBe(0);
      expect(ours?.errors, what).toBe(0);
      expect(ours?.leaks, what).toBe(report.leaksKept ?? 0);
      const after = await contentOf(path);
      for (const offset of after?.lost ?? []) expect(content?.lost).toContain(offset);
      for (const offset of content?.lost ?? []) after?.bytes.fill(0, offset, offset + PART);
      // Bytes that were read from a structure of another kind were no content.
      if (content !== undefined && keepsContent)
        expect(Buffer.compare(after?.bytes ?? content.bytes, content.bytes), what).toBe(0);
      if ((content?.lost.size ?? 0) > 0) expect(report.corruptionsFixed, what).toBeGreaterThan(0);
      // A second repair frees clusters whose refcounts stayed too high.
      if (report.leaksKept !== undefined)
        expect(await repair(path, 'leaks')).toMatchObject({ leaksFixed: report.leaksKept });
      expect(await numbersOf(path)).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
    });

    test.concurrent(`${name}: -r leaks makes nothing worse`, async () => {
      const path = await build(await temp.next());
      await patchImage(path, patch, keep);
      const damaged = await readFile(path);
      const before = await numbersOf(path);
      const content = await contentOf(path);
      const report = await repair(path, 'leaks');
      if (report instanceof DiskError) expect((await readFile(path)).equals(damaged)).toBe(true);
      const after = await numbersOf(path);
      const what = JSON.stringify({ report, before, after });
      if (before === undefined) return; // qemu-img has no opinion
      expect(after?.corruptions ?? 0, what).toBeLessThanOrEqual(before?.corruptions ?? 0);
      expect(after?.leaks ?? 0, what).toBeLessThanOrEqual(before?.leaks ?? 0);
      if (!(report instanceof DiskError)) expect(after?.leaks, what).toBe(0);
      const now = await contentOf(path);
      expect(now?.lost).toEqual(content?.lost);
      expect(Buffer.compare(now?.bytes ?? Buffer.of(), content?.bytes ?? Buffer.of())).toBe(0);
    });
  }
});
