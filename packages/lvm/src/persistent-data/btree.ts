import { DiskError, joinHalves } from '@diskstack/core';
import type { BtreeNode } from '../layout/btree-node.ts';
import type { MetadataBlocks } from './metadata-blocks.ts';

/** Levels of a tree: nodes of 252 entries reach 2^53 keys with seven. A loop ends here. */
const MAX_LEVELS = 16;

/** Where a key is in a tree, or would be. */
export interface TreePlace {
  /** `undefined` where no leaf covers the key. */
  readonly leaf: BtreeNode | undefined;
  /** Of the first entry of the leaf at or after the key. */
  readonly index: number;
  /** Keys up to here are this leaf's, or in none. */
  readonly end: number;
}

/** The keys that a node may have: from `low` on, below `end`. */
interface Range {
  readonly low: number;
  readonly end: number;
}

const EVERY_KEY: Range = { low: 0, end: Number.POSITIVE_INFINITY };

/** Finds a key below a root; at once when all nodes on the way are kept. */
export function findInTree(
  blocks: MetadataBlocks,
  root: number,
  key: number,
): TreePlace | Promise<TreePlace> {
  let number = root;
  let range = EVERY_KEY;
  for (let level = 0; level < MAX_LEVELS; level++) {
    const node = blocks.node(number);
    if (node instanceof Promise) return findLater(blocks, node, number, level, key, range);
    const step = stepInto(node, number, key, range);
    if (!('child' in step)) return step;
    number = step.child;
    range = step.range;
  }
  throw tooDeep(root);
}

async function findLater(
  blocks: MetadataBlocks,
  first: Promise<BtreeNode>,
  firstNumber: number,
  firstLevel: number,
  key: number,
  firstRange: Range,
): Promise<TreePlace> {
  let node = await first;
  let number = firstNumber;
  let range = firstRange;
  for (let level = firstLevel; level < MAX_LEVELS; level++) {
    const step = stepInto(node, number, key, range);
    if (!('child' in step)) return step;
    number = step.child;
    range = step.range;
    node = await blocks.node(number);
  }
  throw tooDeep(number);
}

/** The place, or the next node and the keys that it may have. */
function stepInto(
  node: BtreeNode,
  number: number,
  key: number,
  range: Range,
): TreePlace | { readonly child: number; readonly range: Range } {
  checkRange(node, number, range);
  const index = firstFrom(node.keys, key);
  if (node.isLeaf) return { leaf: node, index, end: range.end };
  const child = node.keys[index] === key ? index : index - 1;
  if (child < 0) return { leaf: undefined, index: 0, end: node.keys[0] ?? range.end };
  const end = node.keys[child + 1] ?? range.end;
  return { child: valueNumber(node, child), range: { low: node.keys[child] ?? 0, end } };
}

/** A node below the root has keys, and they are those that its parent says: so no node can be in two places of a tree. */
function checkRange({ keys }: BtreeNode, number: number, range: Range): void {
  const { low, end } = range;
  const first = keys[0];
  const last = keys.at(-1);
  if (first === undefined || last === undefined) {
    if (range === EVERY_KEY) return; // an empty tree is an empty root
    throw new DiskError('ERR_CORRUPT', `metadata block ${number}: an empty node inside of a B-tree`);
  }
  if (first >= low && last < end) return;
  throw new DiskError(
    'ERR_CORRUPT',
    `metadata block ${number}: keys ${first} to ${last} in a place of a B-tree for ${low} to ${end}`,
  );
}

/** A 64-bit value as a number. */
export function valueNumber(node: BtreeNode, index: number): number {
  const value = joinHalves(node.valueHi(index), node.valueLo(index));
  if (value !== undefined) return value;
  throw new DiskError('ERR_CORRUPT', 'a value of a B-tree is past 2^53 - 1');
}

function firstFrom(keys: Float64Array, key: number): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? 0) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function tooDeep(block: number): DiskError {
  return new DiskError(
    'ERR_CORRUPT',
    `a B-tree of more than ${MAX_LEVELS} levels, at block ${block}: it leads back into itself`,
  );
}
