import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A folder for the files of one test file; gone when its tests are over. `root` names a file system. */
export function tempFolder(root = tmpdir()): string {
  const folder = realpathSync(mkdtempSync(join(root, 'diskstack-host-')));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
