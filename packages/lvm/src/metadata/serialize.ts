import {
  type ConfigNode,
  type ConfigScalar,
  type ConfigSection,
  type ConfigValue,
  isSection,
} from './config.ts';

/** Writes a metadata text. `parseConfig` turns it back into equal nodes. */
export function serializeConfig(root: ConfigSection): string {
  return root.nodes.map((node) => serializeNode(node, '')).join('');
}

function serializeNode(node: ConfigNode, indent: string): string {
  const key = /^[A-Za-z0-9_.-]+$/.test(node.key) ? node.key : quoted(node.key);
  if (!isSection(node)) return `${indent}${key} = ${serializeValue(node.value)}\n`;
  const inner = node.nodes.map((child) => serializeNode(child, `${indent}\t`)).join('');
  return `${indent}${key} {\n${inner}${indent}}\n`;
}

function serializeValue(value: ConfigValue): string {
  if (typeof value !== 'object') return serializeScalar(value);
  return `[${value.map(serializeScalar).join(', ')}]`;
}

function serializeScalar(value: ConfigScalar): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'bigint') return String(value);
  const text = value.toFixed(20).replace(/0+$/, '');
  return Number(text) === value ? text : String(value);
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
