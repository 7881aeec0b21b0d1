import { readFileSync } from 'node:fs';
import { createDisks, DEFAULT_LIMITS, type DiskModule, type Disks } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import type { LayoutContext, VolumeManager, VolumeSet } from '@diskstack/core/volumes';
import { qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { lvm2 } from '../../src/index.ts';

/** Services with this volume manager. */
export function disksOver(volumeManager?: VolumeManager): Disks {
  return createDisks({ formats: [qcow2, raw], drivers: [fileDriver()], codecs: zlibCodecs, volumeManager });
}

export const layoutContext: LayoutContext = {
  limits: DEFAULT_LIMITS,
  logger: { warn() {}, debug() {} },
};

function fixturePath(folder: string, file: string): string {
  return new URL(`../fixtures/${folder}/${file}`, import.meta.url).pathname;
}

export function expected<T>(folder: string): T {
  return JSON.parse(readFileSync(fixturePath(folder, 'expected.json'), 'utf8')) as T;
}

export function openFixture(folder: string, file: string): Promise<DiskModule> {
  return disksOver().open(fixturePath(folder, file));
}

/** The sets on these disks. */
export function findSets(
  members: readonly DiskModule[],
  context: LayoutContext = layoutContext,
): Promise<readonly VolumeSet[]> {
  return lvm2.find(
    members.map((disk, index) => ({ disk, path: `disk ${index}` })),
    context,
  );
}

export function fixtureText(folder: string, file: string): string {
  return readFileSync(fixturePath(folder, file), 'utf8');
}

/** The images of a folder. */
export function fixtureNames(folder: string): readonly string[] {
  return Object.keys(expected<{ readonly files: Record<string, unknown> }>(folder).files);
}
