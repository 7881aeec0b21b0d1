import { type CheckFinding, type CheckReport, hex, type Json, type RepairReport } from '@diskstack/core';
import { escapeUnsafe } from '../terminal/safe-text.ts';

/** The keys of `qemu-img check --output json`, which omits zeroes. The keys from `unattributed-clusters` on are our own. */
export function checkJson(
  report: CheckReport,
  filename: string,
  format: string,
  repaired?: RepairReport,
  isPlan = false,
): Readonly<Record<string, Json>> {
  const counts: readonly (readonly [string, number])[] = [
    ['image-end-offset', report.imageEndOffset],
    ['total-clusters', report.totalClusters],
    ['allocated-clusters', report.allocatedClusters],
    ['fragmented-clusters', report.fragmentedClusters],
    ['compressed-clusters', report.compressedClusters],
    ['corruptions', report.corruptions],
    ['leaks', report.leaks],
    [isPlan ? 'corruptions-to-fix' : 'corruptions-fixed', repaired?.corruptionsFixed ?? 0],
    [isPlan ? 'leaks-to-fix' : 'leaks-fixed', repaired?.leaksFixed ?? 0],
    ['unattributed-clusters', report.unattributed ?? 0],
    ['entries-dropped', repaired?.entriesDropped ?? 0],
    ['leaks-kept', repaired?.leaksKept ?? 0],
  ];
  return {
    filename,
    format,
    'check-errors': report.errors,
    ...Object.fromEntries(counts.filter(([, count]) => count !== 0)),
    findings: report.findings.map((finding) => ({ ...finding })),
    ...(repaired?.dropped === undefined
      ? {}
      : { dropped: repaired.dropped.map((finding) => ({ ...finding })) }),
  };
}

/** The repairs that were made, or would be, in the lines of `qemu-img check -r`. Dropped entries come first, a line each. */
export function repairText(repaired: RepairReport, isPlan: boolean): string {
  const { leaksFixed, corruptionsFixed, dropped = [], entriesDropped = 0, leaksKept = 0 } = repaired;
  const counts = `    ${leaksFixed} leaked clusters\n    ${corruptionsFixed} corruptions\n`;
  const omitted = entriesDropped - dropped.length;
  const kept =
    leaksKept === 0
      ? ''
      : `${leaksKept} clusters stay counted, because a table that is lost may have named them: -r leaks gives them back.\n`;
  const losses = [
    ...dropped.map((finding) => droppedLine(finding, isPlan)),
    ...(omitted > 0 ? [`… and ${omitted} more\n`] : []),
    kept,
  ].join('');
  if (isPlan)
    return `${losses}The following inconsistencies would be repaired:\n\n${counts}\nThe image as it is:\n`;
  if (leaksFixed + corruptionsFixed === 0) return losses;
  return `${losses}The following inconsistencies were found and repaired:\n\n${counts}\nDouble checking the fixed image now...\n`;
}

function droppedLine({ message, offset }: CheckFinding, isPlan: boolean): string {
  const where = offset === undefined ? '' : ` (entry at byte ${hex(offset)})`;
  return `${escapeUnsafe(`${isPlan ? 'To be dropped' : 'Dropped'}: ${message}${where}`)}\n`;
}

/** The findings, a line each, and then the lines of `qemu-img check`. */
export function checkText(report: CheckReport): string {
  const { corruptions, leaks, errors, findings } = report;
  const omitted = corruptions + leaks + errors - findings.length;
  return [
    ...findings.map(findingLine),
    ...(omitted > 0 ? [`… and ${omitted} more\n`] : []),
    ...verdictLines(report),
    ...statisticsLines(report),
  ].join('');
}

const KIND = { corruption: 'ERROR', leak: 'Leaked', error: 'Not checked' } as const;

function findingLine({ kind, message, offset }: CheckFinding): string {
  const where = offset === undefined ? '' : ` (at byte ${hex(offset)})`;
  return `${escapeUnsafe(`${KIND[kind]}: ${message}${where}`)}\n`;
}

function verdictLines({ corruptions, leaks, errors, unattributed = 0 }: CheckReport): string[] {
  if (corruptions + leaks + errors + unattributed === 0) return ['No errors were found on the image.\n'];
  const lines: string[] = [];
  if (corruptions > 0) {
    lines.push(
      `\n${corruptions} errors were found on the image.\n`,
      'Data may be corrupted, or further writes to the image may corrupt it.\n',
    );
  }
  if (leaks > 0) {
    lines.push(
      `\n${leaks} leaked clusters were found on the image.\n`,
      'This means waste of disk space, but no harm to data.\n',
    );
  }
  if (unattributed > 0) {
    lines.push(
      `\n${unattributed} clusters are counted in use, and nothing that could be read names them.\n`,
      'They are no leaks: a structure that could not be read may name them.\n',
    );
  }
  if (errors > 0) lines.push(`\n${errors} internal errors have occurred during the check.\n`);
  return lines;
}

function statisticsLines(report: CheckReport): string[] {
  const { imageEndOffset, totalClusters, allocatedClusters, fragmentedClusters, compressedClusters } = report;
  const lines: string[] = [];
  if (totalClusters > 0 && allocatedClusters > 0) {
    const allocated = percent(allocatedClusters, totalClusters);
    const fragmented = percent(fragmentedClusters, allocatedClusters);
    const compressed = percent(compressedClusters, allocatedClusters);
    lines.push(
      `${allocatedClusters}/${totalClusters} = ${allocated} allocated, ${fragmented} fragmented, ${compressed} compressed clusters\n`,
    );
  }
  if (imageEndOffset > 0) lines.push(`Image end offset: ${imageEndOffset}\n`);
  return lines;
}

/** Two decimals, rounded as C rounds: a value halfway between two becomes the even one. */
function percent(part: number, whole: number): string {
  const value = (part * 100) / whole;
  const isHalfway = Number.isInteger(value * 8) && (value * 200) % 2 === 1;
  const hundredths = isHalfway ? Math.floor(value * 100) + (Math.floor(value * 100) % 2) : undefined;
  return `${(hundredths === undefined ? value : hundredths / 100).toFixed(2)}%`;
}
