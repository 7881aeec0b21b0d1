import { createDisks, type DiskModule, type ServiceOptions } from '@diskstack/core';
import type { DiskFormat, OpenContext } from '@diskstack/core/format';
import { raw } from '@diskstack/raw';
import { FORMATS } from './open.ts';

/** The open context that a program with these services passes to a format. */
async function openContext(services: Partial<ServiceOptions> = {}): Promise<OpenContext> {
  let context: OpenContext | undefined;
  const spy: DiskFormat = {
    name: 'spy',
    title: 'keeps its context',
    probe: () => undefined,
    open(downstream, given) {
      context = given;
      return raw.open(downstream, given);
    },
  };
  const disks = createDisks({ formats: [...FORMATS, spy], ...services });
  await (await disks.open(new Uint8Array(0), { format: spy.name })).close();
  if (context === undefined) throw new Error('the format was not asked to open the disk');
  return context;
}

/** Stacks a format on a disk, not initialised yet. */
export async function stacked(
  format: DiskFormat,
  disk: DiskModule,
  services: Partial<ServiceOptions> = {},
): Promise<DiskModule> {
  return format.open(disk, await openContext(services));
}
