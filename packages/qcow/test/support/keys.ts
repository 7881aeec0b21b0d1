import type { ServiceOptions } from '@diskstack/core';

/** Services of a program that has this passphrase for every image. */
export function keyed(passphrase: string, services: Partial<ServiceOptions> = {}): Partial<ServiceOptions> {
  return { ...services, keys: { keyFor: async () => new TextEncoder().encode(passphrase) } };
}
