import { DiskError, quote } from '@diskstack/core';
import type { DiskFormat, StorageDriver } from '@diskstack/core/format';
import type { VolumeLayout } from '@diskstack/core/volumes';
import type { Plugins } from './plugins.ts';

interface Shape<Member> {
  readonly what: string;
  /** The property that has the name of a member, or its names. */
  readonly name: keyof Member;
  readonly isList?: boolean;
  readonly functions: readonly (keyof Member)[];
}

/** By what each kind of member is recognised. */
const SHAPES: {
  readonly formats: Shape<DiskFormat>;
  readonly drivers: Shape<StorageDriver>;
  readonly layouts: Shape<VolumeLayout>;
} = {
  formats: { what: 'disk format', name: 'name', functions: ['probe', 'open'] },
  drivers: {
    what: 'storage driver',
    name: 'schemes',
    isList: true,
    functions: ['resolve', 'parent', 'open', 'kind', 'canonical', 'identity'],
  },
  layouts: { what: 'volume layout', name: 'name', functions: ['find'] },
};

export const KINDS = Object.keys(SHAPES) as readonly (keyof Plugins)[];

/** Names are parts of addresses (`IMAGE#p1/NAME`, `SCHEME:PATH`) and of lists (`driver=NAME,…`). */
const NAME = /^[a-z][a-z0-9._+-]*$/i;

type Properties = { readonly [key: string]: unknown };

/** The members that a module exports by their names, or in its default export. `plugin` is its name, for errors. */
export function membersOf(module: Properties, plugin: string): Plugins {
  const inDefault = isObject(module.default) ? module.default : {};
  const found = KINDS.map((kind) => [kind, module[kind] ?? inDefault[kind]] as const);
  if (found.every(([, list]) => list === undefined))
    refuse(plugin, `exports no ${KINDS.slice(0, -1).join(', ')} or ${KINDS.at(-1)}`);
  const members = found.map(([kind, list = []]) => {
    if (!Array.isArray(list)) return refuse(plugin, `exports ${kind} that are not an array`);
    list.forEach((member: unknown, index) => {
      const problem = problemOf(kind, member);
      if (problem !== undefined)
        refuse(plugin, `exports no ${SHAPES[kind].what} as ${kind}[${index}]: ${problem}`);
    });
    return [kind, list] as const;
  });
  return Object.fromEntries(members) as unknown as Plugins;
}

/** The names by which a member is registered. */
export function namesOf(kind: keyof Plugins, member: object): readonly string[] {
  return [(member as Properties)[SHAPES[kind].name]].flat().map(String);
}

/** `disk format` of `formats`. */
export function wordOf(kind: keyof Plugins): string {
  return SHAPES[kind].what;
}

function problemOf(kind: keyof Plugins, member: unknown): string | undefined {
  if (!isObject(member)) return `it is ${member === null ? 'null' : `a ${typeof member}`}`;
  const { name, isList = false, functions } = SHAPES[kind];
  const given = member[name];
  if (Array.isArray(given) !== isList || (Array.isArray(given) && given.length === 0))
    return isList ? `its ${name} are not a list of names` : `its ${name} is not a string`;
  for (const one of [given].flat()) {
    if (typeof one !== 'string') return `its ${name} is not a string`;
    if (!NAME.test(one)) return `its ${name} ${quote(one)} is not a letter and then letters, digits, . _ + -`;
  }
  const missing = functions.find((key) => typeof member[key] !== 'function');
  return missing === undefined ? undefined : `it has no function ${missing}`;
}

function isObject(value: unknown): value is Properties {
  return (typeof value === 'object' || typeof value === 'function') && value !== null;
}

function refuse(plugin: string, reason: string): never {
  throw new DiskError('ERR_ARGUMENT', `the plugin ${quote(plugin)} ${reason}`);
}
