import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export interface TempFolder {
  /** Makes a folder, new and empty. */
  next(): Promise<string>;
}

/** Folders that are gone when the tests of this file, or of the suite around, are over. */
export function tempFolder(): TempFolder {
  const made: string[] = [];
  afterAll(async () => {
    for (const path of made) await rm(path, { recursive: true, force: true });
  });
  return {
    async next() {
      const path = await mkdtemp(join(tmpdir(), 'diskstack-qcow-'));
      made.push(path);
      return path;
    },
  };
}
