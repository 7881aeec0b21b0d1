import { mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A folder that is gone when the tests of the file are over. */
export function tempFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'diskstack-core-')));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Whether this system lists the open files of a process. */
export const tellsHandles: boolean = process.platform === 'linux';

/** The handles of this process on a file, by the mode in which it was opened. */
export function handlesOn(path: string): ('reading' | 'writing' | 'both')[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) !== path) return [];
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
      return (['reading', 'writing', 'both'] as const)[Number.parseInt(flags, 8) & 3] ?? [];
    } catch {
      return []; // the handle by which the folder was listed is gone again
    }
  });
}
