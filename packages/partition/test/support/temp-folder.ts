import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A folder for one test file. It is deleted after its tests. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'diskstack-partition-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
