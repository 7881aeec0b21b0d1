import { DiskError } from '@diskstack/core';
import { joinHalves, type MaybePromise } from '@diskstack/core/format';
import type { BtreeNode } from '../layout/btree-node.ts';
import type { MetadataBlocks } from './metadata-blocks.ts';

/** Bounds loops in a damaged tree. Seven levels of 252 entries are enough for 2^53 keys. */
const MAX_LEVELS = 16;

/** The place of a key in a tree. */
export interface TreePlace {
  /** The leaf that covers the key; `undefined` if none does. */
  readonly leaf: BtreeNode | undefined;
  /** The index of the first entry of the leaf at or after the key. */
  readonly index: number;
  /** Keys below `end` are in this leaf or not in the tree. */
  readonly end: number;
}

/** The keys that a node may contain: `low` and above, below `end`. */
interface Range {
  readonly low: number;
  readonly end: number;
}

const EVERY_KEY: Range = { low: 0, end: Number.POSITIVE_INFINITY };

/** Finds a key below the node in block `root`. Returns no promise if all nodes on the way are cached. */
export function findInTree(blocks: MetadataBlocks, root: number, key: number): MaybePromise<TreePlace> {
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

/** The place of the key, or the next node on the way with the keys that it may contain. */
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

/** A node below the root has keys, and only those of its range. This also excludes that a node is used in two places. */
function checkRange({ keys }: BtreeNode, number: number, range: Range): void {
  const { low, end } = range;
  const first = keys[0];
  const last = keys.at(-1);
  if (first === undefined || last === undefined) {
    if (range === EVERY_KEY) return; // the root of an empty tree
    throw new DiskError(
      'ERR_CORRUPT',
      `metadata block ${number}: a node below the root of a B-tree is empty`,
    );
  }
  if (first >= low && last < end) return;
  throw new DiskError(
    'ERR_CORRUPT',
    `metadata block ${number}: the B-tree node has keys ${first} to ${last}, its parent expects ${low} to ${end}`,
  );
}

/** The value of an entry as a number. Throws `ERR_CORRUPT` if it is larger than 2^53 - 1. */
export function valueNumber(node: BtreeNode, index: number): number {
  const value = joinHalves(node.valueHi(index), node.valueLo(index));
  if (value !== undefined) return value;
  throw new DiskError('ERR_CORRUPT', `value ${index} of a B-tree node is larger than 2^53 - 1`);
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
    `the B-tree at metadata block ${block} has more than ${MAX_LEVELS} levels: it probably contains itself`,
  );
}
