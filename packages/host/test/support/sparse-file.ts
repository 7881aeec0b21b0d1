import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

/** Makes a file of `size` bytes that has data at the named places, and holes between them. */
export function sparseFile(path: string, size: number, parts: readonly (readonly [number, number])[]): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  for (const [at, length] of parts) writeSync(fd, new Uint8Array(length).fill(0xdd), 0, length, at);
  closeSync(fd);
}
