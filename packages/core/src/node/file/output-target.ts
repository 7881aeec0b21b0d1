import { readlinkSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DiskError } from '../../errors/disk-error.ts';
import { decodeName } from './file-names.ts';

/** A symbolic link stays, and what it leads to is replaced; one that leads nowhere leads to the new file then. */
export function outputTarget(path: string): string {
  try {
    return decodeName(realpathSync.native(path, 'buffer'), path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    const link = linkOf(path);
    return link === undefined ? path : outputTarget(resolve(dirname(path), link));
  }
}

function linkOf(path: string): string | undefined {
  try {
    return decodeName(readlinkSync(path, 'buffer'), path);
  } catch (error) {
    if (error instanceof DiskError) throw error;
    return undefined; // there is no link of that name
  }
}
