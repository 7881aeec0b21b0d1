import type { Json } from '@diskstack/core';
import { escapeUnsafe, shown } from '../terminal/safe-text.ts';
import { humanBytes } from '../values/byte-size.ts';
import type { LayerReport } from './layer-report.ts';
import { snapshotTable } from './snapshot-report.ts';

/** A report for people, in the lines of `qemu-img info`. All text from the image is escaped. */
export function layerText(report: LayerReport): string {
  const actualSize = report['actual-size'];
  const lines = [
    `image: ${shown(report.filename)}`,
    `file format: ${report.format}`,
    `virtual size: ${humanBytes(report['virtual-size'])} (${report['virtual-size']} bytes)`,
    `disk size: ${actualSize === undefined ? 'unavailable' : humanBytes(actualSize)}`,
  ];
  if (report.encrypted) lines.push('encrypted: yes');
  if (report['cluster-size'] !== undefined) lines.push(`cluster_size: ${report['cluster-size']}`);
  if (report['dirty-flag']) lines.push('cleanly shut down: no');
  lines.push(...backingLines(report));
  if (report.snapshots !== undefined) lines.push(...snapshotTable(report.snapshots));
  const specific = report['format-specific'];
  if (specific !== undefined)
    lines.push('Format specific information:', ...nestedLines(specific.data, '    '));
  lines.push(`disk type: ${report['disk-type']}`);
  if (report['disk-signature'] !== undefined) lines.push(`disk signature: ${report['disk-signature']}`);
  for (const warning of report.warnings ?? []) lines.push(`warning: ${escapeUnsafe(warning)}`);
  return `${lines.join('\n')}\n`;
}

function backingLines(report: LayerReport): string[] {
  const name = report['backing-filename'];
  if (name === undefined) return [];
  const path = report['full-backing-filename'];
  const format = report['backing-filename-format'];
  const probed = report['probed-backing-format'];
  const lines = [
    `backing file: ${shown(name)}${path === undefined || path === name ? '' : ` (actual path: ${shown(path)})`}`,
  ];
  if (format !== undefined) lines.push(`backing file format: ${shown(format)}`);
  if (probed !== undefined) lines.push(`backing file format (probed): ${probed}`);
  return lines;
}

/** Keys and values, indented by depth. Dashes in keys become spaces, as in qemu-img. */
function nestedLines(value: Json, indent: string): string[] {
  if (value === null || typeof value !== 'object') return [];
  const entries: [string, Json][] = Array.isArray(value)
    ? value.map((item: Json, index): [string, Json] => [`[${index}]`, item])
    : Object.entries(value).map(([key, item]): [string, Json] => [
        escapeUnsafe(key.replaceAll('-', ' ')),
        item,
      ]);
  return entries.flatMap(([key, item]) =>
    typeof item === 'object' && item !== null
      ? [`${indent}${key}:`, ...nestedLines(item, `${indent}    `)]
      : [`${indent}${key}: ${typeof item === 'string' ? shown(item) : String(item)}`],
  );
}
