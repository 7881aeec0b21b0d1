// `pnpm smoke [VERSION…]`: the built command on the oldest supported Node and on those that most people have.
import { spawnSync } from 'node:child_process';
import { exit } from 'node:process';
import { smoke } from './smoke.ts';

const OLDEST = '22.15.0'; // as `engines` says
const versions = process.argv.length > 2 ? process.argv.slice(2) : [OLDEST, '24'];

interface Fetched {
  /** The path of the program. */
  readonly node: string;
  readonly version: string;
}

/** A Node of this version, from npm's cache or from the registry; or the reason why there is none. */
function fetchNode(version: string): Fetched | { readonly reason: string } {
  const args = ['--yes', '--prefer-offline', `node@${version}`, '-p', 'process.execPath + process.version'];
  const { status, stdout, stderr, error } = spawnSync('npx', args, { encoding: 'utf8', timeout: 120_000 });
  const [, node, fetched] = /^(.*)v(\d+\.\d+\.\d+)$/.exec(stdout?.trim() ?? '') ?? [];
  if (status !== 0 || node === undefined || fetched === undefined)
    return { reason: error?.message ?? stderr.trim().split('\n')[0] ?? 'npx fails' };
  if (!fetched.startsWith(version)) return { reason: `npx runs Node ${fetched}` };
  return { node, version: fetched };
}

let failures = 0;
for (const version of versions) {
  const fetched = fetchNode(version);
  if ('reason' in fetched) {
    console.warn(`\nWARNING: the smoke on Node ${version} does NOT run: ${fetched.reason}\n`);
    continue;
  }
  const problems = smoke(fetched.node);
  for (const problem of problems) console.error(`Node ${fetched.version}: ${problem}`);
  console.log(
    `The built command on Node ${fetched.version}: ${problems.length === 0 ? 'ok' : `${problems.length} wrong`}`,
  );
  failures += problems.length;
}
if (failures > 0) exit(1);
