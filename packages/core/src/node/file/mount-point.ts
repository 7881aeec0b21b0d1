import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Whether a file is a mount point (`mount --bind`), so that no other file can be renamed over it. Linux lists the mounts. On
 * other systems a file counts as a mount point if its device differs from that of its folder. Linux does not use that rule,
 * because files on overlay file systems differ as well.
 */
export function isMountPoint(path: string, stats: Stats): boolean {
  const points = mountPoints();
  return points === undefined ? statSync(dirname(path)).dev !== stats.dev : points.includes(path);
}

function mountPoints(): readonly string[] | undefined {
  try {
    const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    return lines.map((line) => unescaped(line.split(' ')[4] ?? ''));
  } catch {
    return undefined; // not Linux, or /proc is not mounted
  }
}

/** Decodes a field in which space, tab, line feed and backslash are written as `\` and three octal digits. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
