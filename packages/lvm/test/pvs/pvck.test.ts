import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DiskModule } from '@diskstack/core';
import { isZero } from '@diskstack/core/format';
import { expect, test } from 'vitest';
import { parseConfig, serializeConfig } from '../../src/index.ts';
import { readPhysicalVolume } from '../../src/pvs/physical-volume.ts';
import { fixtureNames, fixtureText, layoutContext, openFixture } from '../support/fixtures.ts';
import { describeWithPvck, dumpMetadata } from '../support/pvck.ts';

const FOLDER = 'lvm-alltypes';

/** The committed metadata text of a disk. */
async function metadataText(disk: DiskModule): Promise<string> {
  const found = await readPhysicalVolume({ disk, path: 'pv' }, 0, layoutContext, {});
  if (found === undefined || 'problem' in found) throw new Error('no physical volume');
  const [text = '', ...others] = found.copies.map((copy) => copy.text.replace(/\0$/, ''));
  for (const other of others) expect(other).toBe(text);
  return text;
}

/** Writes a disk to a plain file, holes as holes. */
async function writeRaw(disk: DiskModule, path: string): Promise<void> {
  const step = 1024 * 1024;
  const file = await open(path, 'w');
  for (let offset = 0; offset < disk.size(); offset += step) {
    const bytes = await disk.read(offset, step);
    if (!isZero(bytes)) await file.write(bytes, 0, bytes.length, offset);
  }
  await file.truncate(disk.size());
  await file.close();
}

test.for(fixtureNames(FOLDER))('the text of %s is that of the group', async (name) => {
  await using disk = await openFixture(FOLDER, name);
  expect(await metadataText(disk)).toBe(fixtureText(FOLDER, 'vg.txt'));
});

describeWithPvck('pvck --dump metadata', () => {
  test.for([
    ...fixtureNames(FOLDER).map((name) => [FOLDER, name] as const),
    ['appliance-small', 'lun.qcow2'] as const,
  ])(
    'of %s, %s is the same text, and parses to the same once it is written again',
    async ([folder, name]) => {
      const work = await mkdtemp(join(tmpdir(), 'diskstack-lvm-'));
      try {
        await using disk = await openFixture(folder, name);
        await writeRaw(disk, join(work, 'pv.raw'));
        await dumpMetadata(join(work, 'pv.raw'), join(work, 'metadata.txt'));
        const dumped = await readFile(join(work, 'metadata.txt'), 'utf8');
        expect(dumped).toBe(await metadataText(disk));
        expect(parseConfig(serializeConfig(parseConfig(dumped)))).toEqual(parseConfig(dumped));
      } finally {
        await rm(work, { recursive: true });
      }
    },
  );
});
