import { can, DiskError, type DiskModule, dirname, joinPath, quote } from '@diskstack/core';
import { fileIdentity } from '@diskstack/core/node';
import { locationOf } from './session.ts';

/** The file of a layer, and the one that holds its clusters where that is another. */
export function filesOf(layer: DiskModule): string[] {
  const location = locationOf(layer);
  if (location === undefined) return [];
  const dataFile = can(layer, 'info') ? layer.info().dataFile : undefined;
  return dataFile === undefined ? [location] : [location, joinPath(dirname(location), dataFile)];
}

/** What is read must not be what is written: the content would be gone before it is read. */
export function refuseSameFile(output: string, inputs: readonly string[]): void {
  const target = fileIdentity(output);
  if (target === undefined) return;
  for (const input of inputs) {
    if (fileIdentity(input) === target) {
      throw new DiskError(
        'ERR_ARGUMENT',
        `the output ${quote(output)} is the same file as the input ${quote(input)}`,
      );
    }
  }
}
