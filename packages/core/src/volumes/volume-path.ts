import { resolvePath } from '../stack/paths.ts';

const MAPPER = '/dev/mapper/';

/**
 * Returns the canonical path of a logical volume: `/dev/vg/lv`.
 *
 * Device-mapper names a volume `vg-lv` and doubles each dash within a name: `/dev/mapper/my--vg-root` is `/dev/my-vg/root`. In
 * other paths only `.` and `..` are resolved.
 */
export function canonicalVolumePath(path: string): string {
  const resolved = resolvePath('/', path);
  if (!resolved.startsWith(MAPPER)) return resolved;
  const name = resolved.slice(MAPPER.length);
  const parts = /^((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(name);
  if (parts === null) return resolved;
  const [, group = '', volume = ''] = parts;
  return `/dev/${group.replaceAll('--', '-')}/${volume.replaceAll('--', '-')}`;
}
