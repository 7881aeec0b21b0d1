import { type BackingGate, MemoryDisk } from '@diskstack/core';

/** A gate to bytes in memory, by name. */
export function memoryGate(files: Readonly<Record<string, Uint8Array>>): BackingGate {
  return async ({ name = '' }) => {
    const bytes = files[name];
    if (bytes === undefined) return undefined;
    return {
      disk: new MemoryDisk(bytes, { writable: false }),
      location: name,
      identity: `memory ${name}`,
    };
  };
}
