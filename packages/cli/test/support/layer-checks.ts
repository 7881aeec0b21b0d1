/** The checks in `expected.json` of fixtures: what a tree has to show, what a layer has to hold. */
export type LayerCheck =
  | { readonly id: string; readonly verb: 'info'; readonly file: string; readonly expect: ExpectedInfo }
  | {
      readonly id: string;
      readonly verb: 'tree';
      readonly files: readonly string[];
      readonly expect: ExpectedTree;
    }
  | {
      readonly id: string;
      readonly verb: 'convert';
      readonly file: string;
      readonly layer: string;
      readonly pvs: readonly string[];
      readonly expect: ExpectedContent;
    };
interface ExpectedInfo {
  readonly format: readonly string[];
  readonly virtual_size: number;
}
interface ExpectedContent {
  readonly outcome: 'ok' | 'error';
  readonly size?: number;
  readonly sha256?: string;
}
interface ExpectedTree extends Alternative {
  readonly any_of?: readonly Alternative[];
}
/** One answer that is right. */
interface Alternative {
  readonly partitions?: readonly (Place & { readonly type: string; readonly name?: string })[];
  readonly disk_status?: readonly string[];
  readonly extra_any?: boolean;
  readonly extra_ok?: readonly string[];
  readonly vg?: string;
  readonly lvs?: readonly {
    readonly name: string;
    readonly size: readonly number[];
    readonly status: readonly string[];
  }[];
  readonly deep?: readonly (Partial<Place> & {
    readonly kind: string;
    readonly size: number;
    readonly name?: string;
  })[];
}
interface Place {
  readonly number: number;
  readonly start: number;
  readonly size: number;
}

/** A node of the tree, as JSON. */
export interface Node {
  readonly path: string;
  readonly kind: string;
  readonly type: string;
  readonly name: string | null;
  readonly number?: number;
  readonly start: number | null;
  readonly size: number | null;
  readonly status: string;
  readonly reason: string | null;
  readonly children: readonly Node[];
}

/** Why a tree is not what is expected: nothing where it is; of several right answers, the nearest one counts. */
export function differences(nodes: readonly Node[] | undefined, expected: ExpectedTree): readonly string[] {
  const found = (expected.any_of ?? [expected]).map((alternative) => against(nodes, alternative));
  return found.sort((a, b) => a.length - b.length)[0] ?? [];
}

function against(nodes: readonly Node[] | undefined, expected: Alternative): readonly string[] {
  const all = walk(nodes ?? []);
  const isDamaged = nodes === undefined || all.some(({ status }) => status !== 'ok');
  if (expected.disk_status !== undefined && !isDamaged) return ['nothing is said to be wrong'];
  if (nodes === undefined) return expected.disk_status === undefined ? ['no tree'] : [];
  return [
    ...partitionProblems(nodes, expected),
    ...(expected.lvs ?? []).flatMap(({ name, size, status }) => {
      const node = all.find(({ path }) => path.endsWith(`lv:${expected.vg}/${name}`));
      const isRight = node !== undefined && size.includes(node.size ?? 0) && status.includes(node.status);
      return isRight ? [] : [`${name}: ${node?.size}, ${node?.status}`];
    }),
    ...(expected.deep ?? []).flatMap(({ kind, size, number, start, name }) => {
      const isThere = all.some(
        (node) =>
          node.kind === kind &&
          node.size === size &&
          (number === undefined || (node.number === number && node.start === start)) &&
          (name === undefined || node.path.endsWith(`/${name}`)),
      );
      return isThere ? [] : [`no ${kind} ${name ?? number}`];
    }),
    ...all.flatMap(({ path, status, reason }) => (status !== 'ok' && !reason ? [`${path}: no reason`] : [])),
  ];
}

function partitionProblems(nodes: readonly Node[], expected: Alternative): readonly string[] {
  if (expected.partitions === undefined) return [];
  const problems: string[] = [];
  const left = new Set(ofDisks(nodes));
  for (const partition of expected.partitions) {
    const node = [...left].find(({ number }) => number === partition.number);
    if (node === undefined) {
      problems.push(`p${partition.number} is missing`);
      continue;
    }
    left.delete(node);
    for (const key of ['start', 'size', 'type'] as const)
      if (node[key] !== partition[key]) problems.push(`p${partition.number}: ${key} ${node[key]}`);
    if (partition.name !== undefined && node.name !== partition.name)
      problems.push(`p${partition.number}: name ${node.name}`);
    if (node.status === 'error') problems.push(`p${partition.number}: ${node.reason}`);
  }
  for (const { path, status } of left)
    if (!expected.extra_any && !expected.extra_ok?.includes(status)) problems.push(`unexpected ${path}`);
  return problems;
}

/** The partitions of the disks themselves, logical ones included. */
function ofDisks(nodes: readonly Node[]): readonly Node[] {
  return nodes.flatMap((node) => {
    if (node.kind === 'disk') return ofDisks(node.children);
    return node.kind === 'partition'
      ? [node, ...ofDisks(node.children.filter(({ kind }) => kind === 'partition'))]
      : [];
  });
}

function walk(nodes: readonly Node[]): readonly Node[] {
  return nodes.flatMap((node) => [node, ...walk(node.children)]);
}
