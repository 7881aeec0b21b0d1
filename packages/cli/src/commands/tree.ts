import { DiskError } from '@diskstack/core';
import type { OpenFlags, OutputFlags } from '../open-options.ts';
import { nodeJson } from '../report/tree-json.ts';
import { treeLines } from '../report/tree-text.ts';
import { withSession } from '../session.ts';
import { print, printJson } from '../terminal/stdout.ts';

/** `diskstack tree IMAGE…` */
export async function tree(images: readonly string[], flags: OpenFlags & OutputFlags): Promise<void> {
  await withSession({ ...flags, isReport: true }, async (session) => {
    const disks = await session.layered();
    const nodes = await disks.tree(images, {
      pvs: flags.pv,
      allowBacking: flags.allowBacking,
      gate: flags.untrusted ? 'deny' : undefined,
    });
    const [first] = nodes;
    if (first !== undefined && nodes.every(({ status, size }) => status === 'error' && size === undefined))
      throw new DiskError('ERR_IO', `no disk can be opened; ${first.reason}`);
    if (flags.output === 'json') return printJson(nodes.map(nodeJson));
    return print(treeLines(nodes));
  });
}
