import type { Json, TreeNode } from '@diskstack/core';

/** A node for programs: the keys that every node has, further facts, and its children. */
export function nodeJson(node: TreeNode): { readonly [key: string]: Json } {
  const { path, kind, type, name, start, size, status, reason, facts, children } = node;
  return {
    path,
    kind,
    type,
    name: name ?? null,
    start: start ?? null,
    size: size ?? null,
    status,
    reason: reason ?? null,
    ...facts,
    children: children.map(nodeJson),
  };
}
