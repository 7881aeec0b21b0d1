import { DiskError, type TreeNode } from '@diskstack/core';
import { defineCommand } from '../command-line/define-command.ts';
import { forceShareOption, type OpenFlags, pvOption } from '../options/open-options.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { nodeJson } from '../report/tree-json.ts';
import { treeLines } from '../report/tree-text.ts';
import { withSession } from '../session/session.ts';
import { print, printJson } from '../terminal/stdout.ts';

export const command = defineCommand<OpenFlags & OutputFlags>({
  name: 'tree',
  operands: '<images...>',
  summary: 'list what is on the disks of one machine: partitions, logical volumes, images',
  options: [forceShareOption(), pvOption(), outputOption()],
  notes: 'info, map, read, convert, compare and digest open a layer as IMAGE#LAYER[/LAYER…].',
  run: tree,
});

/** `diskstack tree IMAGE…` */
async function tree(flags: OpenFlags & OutputFlags, ...images: string[]): Promise<void> {
  await withSession({ ...flags, isReport: true }, async (session) => {
    const disks = await session.layered();
    const nodes = await disks.tree(
      images.map((image) => session.machineDisk(image)),
      {
        pvs: flags.pv,
        allowBacking: flags.allowBacking,
        allowSchemes: flags.allowScheme,
        gate: flags.untrusted ? 'deny' : undefined,
      },
    );
    const [first] = nodes;
    if (first !== undefined && nodes.every(({ status, size }) => status !== 'ok' && size === undefined))
      throw new DiskError('ERR_IO', `no disk can be opened; ${first.reason}`);
    await (flags.output === 'json' ? printJson(nodes.map(nodeJson)) : print(treeLines(nodes)));
    if (nodes.some(hasError)) process.exitCode = 1;
  });
}

/** Whether a part of the tree cannot be read. The tree is printed all the same. */
function hasError({ status, children }: TreeNode): boolean {
  return status === 'error' || children.some(hasError);
}
