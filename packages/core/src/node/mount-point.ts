import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Whether a file is mounted on its path (`mount --bind`): no other file can be renamed over it. */
export function isMountPoint(path: string, stats: Stats): boolean {
  const folder = statSync(dirname(path), { throwIfNoEntry: false });
  if (folder === undefined || folder.dev !== stats.dev) return true;
  return mountPoints().includes(path);
}

function mountPoints(): readonly string[] {
  try {
    const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    return lines.map((line) => unescaped(line.split(' ')[4] ?? ''));
  } catch {
    return []; // not Linux
  }
}

/** Space, tab, line feed and backslash are `\` and three octal digits. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
