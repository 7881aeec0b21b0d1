import { opendir } from 'node:fs/promises';
import { DiskError } from '../../errors/disk-error.ts';
import { decodeStrict } from '../../errors/text.ts';
import { fileError } from './file-errors.ts';

/** `StorageDriver.list` for a folder. Skips names that are not valid UTF-8, because no string leads to them. */
export async function listFolder(folder: string, max: number): Promise<readonly string[]> {
  const names: string[] = [];
  let count = 0;
  try {
    for await (const { name } of await opendir(folder, {
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
