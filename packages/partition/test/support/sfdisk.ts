import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { describe } from 'vitest';

const missing = ['sfdisk', 'fdisk'].every((tool) => spawnSync(tool, ['--version']).status === 0)
  ? undefined
  : 'sfdisk and fdisk are not installed (Debian: fdisk)';
if (missing !== undefined) console.warn(`WARNING: ${missing}: the comparison with sfdisk does NOT run`);

/** A suite that needs sfdisk: without it the suite is skipped, and its name gives the reason. */
export function describeWithSfdisk(name: string, body: () => void): void {
  describe.skipIf(missing !== undefined)(
    missing === undefined ? name : `${name} [skipped: ${missing}]`,
    body,
  );
}

/** The output of `sfdisk --json` for a disk. Places are in sectors. */
export interface SfdiskTable {
  readonly label: string;
  readonly id: string;
  readonly sectorsize: number;
  readonly partitions?: readonly {
    readonly node: string;
    readonly start: number;
    readonly size: number;
    readonly type: string;
    readonly uuid?: string;
    readonly name?: string;
    readonly bootable?: boolean;
    readonly attrs?: string;
  }[];
}

/** A sparse disk that a script of sfdisk has partitioned, and what `sfdisk --json` then lists. */
export function partitioned(path: string, size: number, script: string): SfdiskTable {
  sparseFile(path, size);
  execFileSync('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', path], { input: script });
  const json = execFileSync('sfdisk', ['--json', path], { encoding: 'utf8' });
  return (JSON.parse(json) as { partitiontable: SfdiskTable }).partitiontable;
}

/**
 * A sparse disk with another sector size that fdisk has partitioned, and the places of the partitions in bytes. sfdisk
 * assumes sectors of 512 bytes for files; fdisk has an option.
 */
export function typed(
  path: string,
  size: number,
  sectorSize: number,
  keys: readonly string[],
): readonly Place[] {
  sparseFile(path, size);
  const sectors = ['-b', String(sectorSize)];
  execFileSync('fdisk', ['-w', 'never', ...sectors, path], {
    input: `${keys.join('\n')}\nw\n`,
    stdio: 'pipe',
  });
  const list = execFileSync('fdisk', ['-l', ...sectors, '-o', 'device,start,sectors', path], {
    encoding: 'utf8',
  });
  return list.split('\n').flatMap((line) => {
    const [, number, start, count] = new RegExp(`^${path}(\\d+)\\s+(\\d+)\\s+(\\d+)`).exec(line) ?? [];
    if (number === undefined) return [];
    return [{ layer: `p${number}`, start: Number(start) * sectorSize, size: Number(count) * sectorSize }];
  });
}

export interface Place {
  readonly layer: string;
  readonly start: number;
  readonly size: number;
}

function sparseFile(path: string, size: number): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, size);
  closeSync(file);
}
