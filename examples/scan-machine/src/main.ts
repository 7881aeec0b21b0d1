// Lists what is on the disks of a machine: partitions, volume groups over several disks, logical volumes, file systems.
import { createDisks, type TreeNode } from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { lvm2 } from '@diskstack/lvm';
import { partition } from '@diskstack/partition';
import { qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';

const fixtures = new URL('../../../packages/lvm/test/fixtures/', import.meta.url).pathname;
const given = process.argv.slice(2);
const files = given.length > 0 ? given : ['a', 'b'].map((pv) => `${fixtures}lvm-alltypes/pv-${pv}.qcow2`);

const disks = createDisks({ formats: [raw, qcow2], drivers: [fileDriver()], layouts: [partition, lvm2] });
const show = (node: TreeNode, depth: number): void => {
  const { path, type, size, status, facts, children } = node;
  const held = typeof facts.filesystem === 'string' ? ` holds ${facts.filesystem}` : '';
  console.log(`${'  '.repeat(depth)}${path.replace(fixtures, '')} ${type} ${size} ${status}${held}`);
  for (const child of children) show(child, depth + 1);
};
for (const disk of await disks.tree(files)) show(disk, 0);
