import { DiskError } from '../../errors/disk-error.ts';
import { decodeStrict, decodeText, quote } from '../../errors/text.ts';

/**
 * Decodes a file name. A name that is not valid UTF-8 is an error: as a string it would be the name of another file.
 *
 * @param path the path that leads to the name, for the error
 */
export function decodeName(bytes: Uint8Array, path: string): string {
  const name = decodeStrict(bytes);
  if (name !== undefined) return name;
  const reason = `leads to a name that is not UTF-8, ${quote(decodeText(bytes))}`;
  throw new DiskError('ERR_UNSUPPORTED', reason, { layer: path });
}
