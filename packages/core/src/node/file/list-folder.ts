import { opendir } from 'node:fs';
import { promisify } from 'node:util';
import { DiskError } from '../../errors/disk-error.ts';
import { decodeStrict } from '../../errors/text.ts';
import { fileError } from './file-errors.ts';

// `node:fs/promises` would do the same, and takes 3 ms to load in each process.
const openFolder = promisify(opendir);

/** `StorageDriver.list` for a folder. Skips names that are not valid UTF-8, because no string leads to them. */
export async function listFolder(folder: string, max: number): Promise<readonly string[]> {
  const names: string[] = [];
  let count = 0;
  try {
    for await (const { name } of await openFolder(folder, {
      encoding: 'buffer' as BufferEncoding,
      bufferSize: 256,
    })) {
      if (++count > max)
        throw new DiskError('ERR_LIMIT', `the folder has ${count} names or more, ${max} are allowed`, {
          layer: folder,
        });
      const text = decodeStrict(name as unknown as Uint8Array); // Node's types have only strings here
      if (text !== undefined) names.push(text);
    }
  } catch (error) {
    throw fileError(error, folder);
  }
  return names.sort();
}
