import { resolvePath } from '../stack/paths.ts';

const MAPPER = '/dev/mapper/';

/**
 * One spelling for the paths of logical volumes: `/dev/vg/lv`.
 *
 * Device-mapper names a volume `vg-lv`, and doubles every dash that belongs to a name: `/dev/mapper/my--vg-root` is
 * `/dev/my-vg/root`. Other paths are only freed of `.` and `..`.
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
