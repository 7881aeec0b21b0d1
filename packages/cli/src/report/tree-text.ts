import type { Json, TreeNode } from '@diskstack/core';
import { escapeUnsafe, shown } from '../terminal/safe-text.ts';
import { humanBytes } from '../values/byte-size.ts';

type Row = readonly [string, string, string, string];

/** The tree as a picture. Each layer is a line: its name, type and size, and what it holds or what is wrong with it. */
export function treeLines(nodes: readonly TreeNode[]): string {
  const rows = nodes.flatMap((node) => rowsOf(node, shown(node.path), '', ''));
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => [...(row[column] ?? '')].length)));
  const line = (row: Row): string =>
    row
      .map((cell, column) => (column === 2 ? padStart(cell, widths[2]) : padEnd(cell, widths[column])))
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

function rowsOf(node: TreeNode, title: string, first: string, rest: string): readonly Row[] {
  const { children, size } = node;
  return [
    [first + title, typeOf(node), size === undefined ? '' : humanBytes(size), remark(node)],
    ...children.flatMap((child, index) => {
      const isLast = index === children.length - 1;
      const step = shown(child.path.slice(commonLength(node.path, child.path)));
      return rowsOf(child, step, `${rest}${isLast ? '└─ ' : '├─ '}`, `${rest}${isLast ? '   ' : '│  '}`);
    }),
  ];
}

/** Where the printed part of a path begins. Logical partitions are below the extended one, but their paths do not name it. */
function commonLength(below: string, path: string): number {
  if (path.startsWith(`${below}/`) || path.startsWith(`${below}#`)) return below.length + 1;
  return Math.max(path.lastIndexOf('/'), path.lastIndexOf('#')) + 1;
}

function typeOf({ type, facts }: TreeNode): string {
  const name = facts.typeName;
  return escapeUnsafe(typeof name === 'string' ? name : type);
}

function remark({ name, status, reason, facts, kind }: TreeNode): string {
  const remarks: string[] = [];
  if (kind === 'partition' && name !== undefined && name !== '') remarks.push(shown(name));
  for (const key of ['table', 'group']) {
    const set = facts[key];
    if (isObject(set)) remarks.push(...setRemarks(set));
  }
  if (facts.bootable === true) remarks.push('active');
  if (facts.degraded === true) remarks.push('degraded');
  if (kind === 'lv') remarks.push(...warningsOf(facts));
  const { filesystem, backing } = facts;
  if (typeof filesystem === 'string') remarks.push(filesystem);
  if (Array.isArray(backing))
    remarks.push(`on ${backing.map((base) => shown(textOf(base, 'path'))).join(', ')}`);
  if (status !== 'ok') remarks.push(`${status}: ${escapeUnsafe(reason ?? '')}`);
  return remarks.join('; ');
}

function setRemarks(set: { readonly [key: string]: Json }): readonly string[] {
  const { layout, name, listedAt, warnings } = set;
  const title = `${typeof layout === 'string' ? layout.toUpperCase() : ''}${typeof name === 'string' ? ` ${shown(name)}` : ''}`;
  const where = typeof listedAt === 'string' ? `, listed at ${shown(listedAt)}` : '';
  return [title + where, ...warningsOf({ warnings })];
}

function warningsOf({ warnings }: { readonly [key: string]: Json | undefined }): readonly string[] {
  return Array.isArray(warnings)
    ? warnings.map((warning) => `warning: ${escapeUnsafe(String(warning))}`)
    : [];
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: Json, key: string): string {
  const text = isObject(value) ? value[key] : undefined;
  return typeof text === 'string' ? text : '';
}

function padEnd(text: string, width = 0): string {
  return text + ' '.repeat(Math.max(0, width - [...text].length));
}

function padStart(text: string, width = 0): string {
  return ' '.repeat(Math.max(0, width - [...text].length)) + text;
}
