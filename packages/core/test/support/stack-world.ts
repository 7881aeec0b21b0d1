import { createDisks, type Disks } from '../../src/disks.ts';
import type { ServiceOptions } from '../../src/stack/services.ts';
import { type SpyDriver, spyDriver } from '../../src/testing/index.ts';
import { type Entry, type MemoryDriverOptions, memoryDriver } from './memory-driver.ts';
import { overlay, plain } from './overlay-format.ts';

export interface World {
  readonly disks: Disks;
  readonly driver: SpyDriver;
}

/** Disks over files in memory, with the two toy formats. */
export function world(
  entries: Readonly<Record<string, Entry>>,
  options: Partial<ServiceOptions> & MemoryDriverOptions = {},
): World {
  const { scheme, wrap, ...services } = options;
  const driver = spyDriver(memoryDriver(entries, { ...(scheme && { scheme }), ...(wrap && { wrap }) }));
  const disks = createDisks({ formats: [plain, overlay], drivers: [driver], ...services });
  return { disks, driver };
}

/** `length` bytes, each of them `value`. */
export function filled(value: number, length = 4096): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}
