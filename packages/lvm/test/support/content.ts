import { createHash } from 'node:crypto';
import type { DiskModule } from '@diskstack/core';

/** SHA-256 of all guest bytes. */
export async function sha256(disk: DiskModule, step = 1024 * 1024): Promise<string> {
  const hash = createHash('sha256');
  for (let offset = 0; offset < disk.size(); offset += step) hash.update(await disk.read(offset, step));
  return hash.digest('hex');
}
