import { type BackingName, DiskError } from '@diskstack/core';
import { EXTENSION_TYPE } from '../../layout/header-extension.ts';
import { writeHead } from '../metadata/head.ts';
import type { ImageState } from '../metadata/image-state.ts';

/**
 * Changes the backing file name and the recorded backing format. Unknown header extensions are kept.
 */
export async function changeBackingName(state: ImageState, backing: BackingName | undefined): Promise<void> {
  const { extensions, limits } = state.image;
  const text = new TextEncoder();
  const name = text.encode(backing?.name ?? '');
  if (backing !== undefined && (name.length === 0 || name.length > limits.maxNameBytes)) {
    throw new DiskError(
      'ERR_ARGUMENT',
      `a backing file name has 1 to ${limits.maxNameBytes} bytes, not ${name.length}`,
    );
  }
  const kept = extensions.filter(({ type }) => type !== EXTENSION_TYPE.backingFormat);
  const format = backing?.format;
  await writeHead(state, {
    extensions:
      format === undefined
        ? kept
        : [{ type: EXTENSION_TYPE.backingFormat, data: text.encode(format) }, ...kept],
    name,
  });
}
