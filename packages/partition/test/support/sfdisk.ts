import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { describe } from 'vitest';

const missing = ['sfdisk', 'fdisk'].every((tool) => spawnSync(tool, ['--version']).status === 0)
  ? undefined
  : 'sfdisk and fdisk are not installed (Debian: fdisk)';
if (missing !== undefined) console.warn(`WARNING: ${missing}: the comparison with sfdisk does NOT run`);

/** A suite that needs sfdisk: without it, it is skipped and says why. */
export function describeWithSfdisk(name: string, body: () => void): void {
  describe.skipIf(missing !== undefined)(
    missing === undefined ? name : `${name} [skipped: ${missing}]`,
    body,
  );
}

/** What `sfdisk --json` says of a disk, in its sectors. */
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

/** A sparse disk, partitioned by a script of sfdisk, and what sfdisk then says of it. */
export function partitioned(path: string, size: number, script: string): SfdiskTable {
  sparseFile(path, size);
  execFileSync('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', path], { input: script });
  const json = execFileSync('sfdisk', ['--json', path], { encoding: 'utf8' });
  return (JSON.parse(json) as { partitiontable: SfdiskTable }).partitiontable;
}

/**
 * A sparse disk of other sectors, partitioned by what is typed into fdisk, and where the partitions then are, in
 * bytes. This sfdisk takes the sectors of files to be of 512 bytes; fdisk can be told.
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
