import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exit } from 'node:process';
import type { ImageOption, OptionSchema } from '@diskstack/core';
import { type DiskFormat, hasOption } from '@diskstack/core/format';
import { formats } from '../packages/cli/src/session/composition-root.ts';
import { layouts } from '../packages/cli/src/session/layouts.ts';

/**
 * Writes the tables of `docs/formats.md` from the formats and layouts of the command. `--check` writes nothing, and fails where
 * the page is not what they declare.
 */

const PAGE = join(import.meta.dirname, '../docs/formats.md');
const BEGIN = '<!-- `pnpm formats-doc` writes what follows, up to the end mark. -->';
const END = '<!-- end -->';

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [heads, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = cells;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

const yes = (is: boolean | undefined): string => (is ? 'yes' : '–');

function formatRow({ name, title, accepts, create, amend }: DiskFormat): readonly string[] {
  return [
    `\`${name}\``,
    title,
    yes(create !== undefined),
    yes(create && hasOption(create.options, 'backing-file')),
    yes(create?.abilities?.includes('writeCompressed')),
    yes(create?.abilities?.includes('bitmapStore')),
    yes(accepts?.includes('snapshot')),
    yes(create?.measure !== undefined),
    yes(amend !== undefined),
  ];
}

function valuesOf({ type, choices }: ImageOption): string {
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(', ');
  const words = { flag: '`on`, `off`', number: 'number', size: 'bytes', 'virtual-size': 'bytes' } as const;
  return (words as Readonly<Record<string, string>>)[type] ?? type.replace('-', ' ');
}

function defaultOf({ default: value }: ImageOption): string {
  if (value === undefined) return '–';
  return `\`${typeof value === 'boolean' ? (value ? 'on' : 'off') : value}\``;
}

/** A table of the options of one format: of new images, and of changes to existing ones. */
function optionsOf({ name, create, amend }: DiskFormat): string {
  const [made, changed]: readonly OptionSchema[] = [create?.options ?? {}, amend?.options ?? {}];
  const all = { ...made, ...changed };
  const rows = Object.keys(all)
    .sort()
    .map((option) => {
      const one = all[option] as ImageOption;
      const isIn = (schema: OptionSchema | undefined) =>
        yes(schema !== undefined && Object.hasOwn(schema, option));
      return [`\`${option}\``, valuesOf(one), defaultOf(one), isIn(made), isIn(changed), one.help];
    });
  return `### Options of \`${name}\`\n\n${table(['`-o`', 'values', 'default', 'new', 'amend', 'what it is'], rows)}`;
}

const heads = [
  'format',
  'what it is',
  'made',
  'backing',
  'compressed',
  'bitmaps',
  'snapshots',
  'measured',
  'amended',
];
const withOptions = formats.filter(({ create, amend }) => create !== undefined || amend !== undefined);
const generated = [
  BEGIN,
  table(heads, formats.map(formatRow)),
  '_made_: `create`, `convert -O`. _compressed_, _bitmaps_: `convert -c`, `--bitmaps`. _snapshots_: `--snapshot`. _measured_: `measure`.',
  ...withOptions.map(optionsOf),
  '### Volume layouts',
  table(
    ['layout', 'what it is'],
    layouts.map(({ name, title }) => [`\`${name}\``, title]),
  ),
  END,
].join('\n\n');

const page = readFileSync(PAGE, 'utf8');
const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`${PAGE} has no marks for the generated tables`);
const next = page.slice(0, begin) + generated + page.slice(end + END.length);
if (next === page) exit(0);
if (process.argv.includes('--check')) {
  console.error('docs/formats.md is not what the formats declare: run `pnpm formats-doc`');
  exit(1);
}
writeFileSync(PAGE, next);
