import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describe } from 'vitest';

const run = promisify(execFile);

/** Why tests against lvm2 cannot run here, or `undefined`. */
const missing: string | undefined =
  spawnSync('pvck', ['--version']).error === undefined ? undefined : 'pvck is not installed (Debian: lvm2)';

if (missing !== undefined) console.warn(`WARNING: ${missing}: the comparison with lvm2 does NOT run`);

/** A suite that needs lvm2's tools: without them it is skipped, and its name gives the reason. */
export function describeWithPvck(name: string, body: () => void): void {
  const title = missing === undefined ? name : `${name} [skipped: ${missing}]`;
  describe.skipIf(missing !== undefined)(title, body);
}

/** Writes the metadata text of a physical volume, a plain file, to another file. */
export async function dumpMetadata(file: string, into: string): Promise<void> {
  await run('pvck', ['--driverloaded', 'n', '--dump', 'metadata', '-f', into, file]);
}
