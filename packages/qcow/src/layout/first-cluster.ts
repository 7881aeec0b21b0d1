import { DiskError } from '@diskstack/core';
import { encodeHeader, type Header } from './header.ts';
import { encodeExtensions, type NewExtension } from './header-extension.ts';

/** The content of the first cluster: the header, its extensions and the backing file name. */
export interface FirstCluster {
  /** Its fields for the backing file name are ignored: they follow from `backingName`. */
  readonly header: Header;
  readonly extensions: readonly NewExtension[];
  readonly backingName?: Uint8Array | undefined;
}

/** qcow2 spec, "backing_file_size". */
const MAX_BACKING_NAME = 1023;

/** Encodes the first cluster up to the end of the backing file name. `ERR_ARGUMENT` when the content does not fit. */
export function encodeFirstCluster({
  header,
  extensions,
  backingName = new Uint8Array(),
}: FirstCluster): Uint8Array<ArrayBuffer> {
  const clusterSize = 2 ** header.clusterBits;
  const area = encodeExtensions(extensions);
  const { headerLength } = header;
  const nameAt = headerLength + area.length;
  const end = nameAt + backingName.length;
  if (backingName.length > MAX_BACKING_NAME) {
    const reason = `a backing file name of ${backingName.length} bytes, ${MAX_BACKING_NAME} are allowed`;
    throw new DiskError('ERR_ARGUMENT', reason);
  }
  if (end > clusterSize) {
    throw new DiskError(
      'ERR_ARGUMENT',
      `the header with its names takes ${end} bytes, the first cluster has ${clusterSize}`,
    );
  }
  const bytes = new Uint8Array(end);
  const backing = {
    backingFileOffset: backingName.length > 0 ? nameAt : 0,
    backingFileSize: backingName.length,
  };
  bytes.set(encodeHeader({ ...header, ...backing }));
  bytes.set(area, headerLength);
  bytes.set(backingName, nameAt);
  return bytes;
}
