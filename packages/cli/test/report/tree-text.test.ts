import type { TreeNode } from '@diskstack/core';
import { expect, test } from 'vitest';
import { treeLines } from '../../src/report/tree-text.ts';

function node(path: string, children: readonly TreeNode[] = []): TreeNode {
  return {
    path,
    kind: path.includes('#') ? 'partition' : 'disk',
    type: 'raw',
    name: undefined,
    start: 0,
    size: 1024,
    status: 'ok',
    reason: undefined,
    facts: {},
    children,
  };
}

test('a logical partition keeps its name, whatever the number of the extended one', () => {
  const logical = [5, 10, 11, 100].map((number) => node(`d.img#p${number}`));
  const lines = treeLines([node('d.img', [node('d.img#p1', logical)])]).split('\n');
  expect(lines.map((line) => line.split(/\s{2,}raw/)[0]?.replace(/[ ├─└│]/g, ''))).toEqual([
    'd.img',
    'p1',
    'p5',
    'p10',
    'p11',
    'p100',
    '',
  ]);
});

test('a layer is called by the step that leads to it', () => {
  const lines = treeLines([
    node('d.img', [node('d.img#p1', [node('d.img#p1/lv:vg/a'), node('d.img#p1/qcow2')])]),
  ]);
  expect(lines).toContain('├─ lv:vg/a');
  expect(lines).toContain('└─ qcow2');
});
