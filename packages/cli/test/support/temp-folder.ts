import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A folder for the images of one test file; gone when its tests are over. */
export function tempFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'diskstack-cli-')));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
