import { readlinkSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DiskError } from '../../errors/disk-error.ts';
import { decodeName } from './file-names.ts';

/**
 * Resolves symbolic links, so that the output replaces their target and the links stay. For a dangling link that is the path of
 * the new file.
 */
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
    return undefined; // the path is not a link
  }
}
