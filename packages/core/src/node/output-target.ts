import { readlinkSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** A symbolic link stays, and what it leads to is replaced; one that leads nowhere leads to the new file then. */
export function outputTarget(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    const link = linkOf(path);
    return link === undefined ? path : outputTarget(resolve(dirname(path), link));
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // there is no link of that name
  }
}
