import type { Volume, VolumeSet } from '@diskstack/core/volumes';
import { flat } from './find.ts';

/** `expected.json` of the fixtures: the partitions of each disk according to the tools and the kernel of Linux. */
export interface Expected {
  readonly checks: readonly Check[];
}
export type Check = TreeCheck | ConvertCheck;
export interface TreeCheck {
  readonly id: string;
  readonly verb: 'tree';
  readonly files: readonly [string];
  readonly expect: Alternative & { readonly any_of?: readonly Alternative[] };
}
export interface ConvertCheck {
  readonly id: string;
  readonly verb: 'convert';
  readonly file: string;
  readonly layer: string;
  readonly expect:
    | { readonly outcome: 'error' }
    | { readonly outcome: 'ok'; readonly size: number; readonly sha256: string };
}
/** One correct answer. */
interface Alternative {
  readonly partitions?: readonly ExpectedPartition[];
  /** A problem must be reported. */
  readonly disk_status?: readonly string[];
  /** Further partitions may be listed. */
  readonly extra_any?: boolean;
  /** Further partitions may be listed with such a status. */
  readonly extra_ok?: readonly string[];
}
interface ExpectedPartition {
  readonly number: number;
  readonly start: number;
  readonly size: number;
  readonly type: string;
  readonly name?: string;
  readonly uuid?: string;
  readonly attributes?: string;
  readonly bootable?: boolean;
}

/** The differences between a set and the expected one. With several correct answers, those to the nearest one. */
export function differences(set: VolumeSet | undefined, check: TreeCheck): readonly string[] {
  const found = (check.expect.any_of ?? [check.expect]).map((alternative) => against(set, alternative));
  return found.sort((a, b) => a.length - b.length)[0] ?? [];
}

function against(set: VolumeSet | undefined, expected: Alternative): readonly string[] {
  const problems: string[] = [];
  const volumes = flat(set);
  if (expected.disk_status !== undefined) {
    const isDamaged = set?.problem !== undefined || volumes.some(({ status }) => status !== 'ok');
    if (!isDamaged) problems.push('nothing is said to be wrong');
  }
  if (expected.partitions === undefined) return problems;
  const left = new Set(volumes);
  for (const partition of expected.partitions) {
    const volume = volumes.find(({ facts }) => facts?.number === partition.number);
    if (volume === undefined) {
      problems.push(`partition ${partition.number} is missing`);
      continue;
    }
    left.delete(volume);
    const told = asExpected(volume);
    for (const [key, want] of Object.entries(partition))
      if (key in told && told[key] !== want)
        problems.push(`p${partition.number}: ${key} ${told[key]}, not ${want}`);
    if (volume.status === 'error') problems.push(`p${partition.number}: ${volume.reason}`);
  }
  for (const volume of left)
    if (!expected.extra_any && !expected.extra_ok?.includes(volume.status))
      problems.push(`unexpected ${volume.layer}`);
  return problems;
}

function asExpected({ start, size, type, name, facts }: Volume): { readonly [key: string]: unknown } {
  const isGpt = facts?.attributes !== undefined;
  return {
    start,
    size,
    type,
    ...(isGpt && { name, uuid: facts?.uuid, attributes: facts?.attributes }),
    ...(!isGpt && { bootable: facts?.bootable }),
  };
}
