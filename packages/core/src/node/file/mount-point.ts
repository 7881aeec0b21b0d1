import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Whether a file is mounted on its path (`mount --bind`): no other file can be renamed over it. Linux lists what is mounted.
 * Elsewhere a file on another device than its folder is taken for one; overlay file systems of Linux have such files too.
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
    return undefined; // not Linux, or no proc here
  }
}

/** Space, tab, line feed and backslash are `\` and three octal digits. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
