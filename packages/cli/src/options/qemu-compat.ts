import { Option } from 'commander';

/** Options that scripts for qemu-img pass and that change nothing here, and why they change nothing. */
const WITHOUT_EFFECT = {
  '-t, --cache <mode>': 'files are written through the page cache',
  '-T, --source-cache <mode>': 'files are read through the page cache',
  '-W, --out-of-order': 'writes always overlap',
  '-m, --parallel <count>': 'the number of pieces in flight is fixed',
} as const;

/** Options that are accepted for qemu-img compatibility and have no effect. The help does not list them. */
export function withQemuCompat(...flags: readonly (keyof typeof WITHOUT_EFFECT)[]): readonly Option[] {
  return flags.map((flag) => new Option(flag, WITHOUT_EFFECT[flag]).hideHelp());
}

/** `-q` of a command that prints nothing that could be left out. */
export function quietWithoutEffect(): Option {
  return new Option('-q, --quiet', 'accepted for qemu-img compatibility; no effect');
}
