import { can, DiskError, type DiskModule, dirname, joinPath, quote } from '@diskstack/core';
import { sharesStorage } from '@diskstack/core/node';
import { locationOf } from '../session/session.ts';

/** The file of a layer, and its data file if it has one. */
export function filesOf(layer: DiskModule): string[] {
  const location = locationOf(layer);
  if (location === undefined) return [];
  const dataFile = can(layer, 'info') ? layer.info().dataFile : undefined;
  return dataFile === undefined ? [location] : [location, joinPath(dirname(location), dataFile)];
}

/** Refuses an output that is one of the inputs: its content would be overwritten before it is read. */
export function refuseSameFile(output: string, inputs: readonly string[]): void {
  const same = inputs.find((input) => sharesStorage(output, input));
  if (same === undefined) return;
  throw new DiskError(
    'ERR_ARGUMENT',
    `the output ${quote(output)} is the same file as the input ${quote(same)}`,
  );
}
