import { DiskError, quote } from '@diskstack/core';

/** A scalar of a metadata text: integers are `bigint`, numbers with a decimal point are `number`. */
export type ConfigScalar = bigint | number | string;
export type ConfigValue = ConfigScalar | readonly ConfigScalar[];

/** `key { … }`. */
export interface ConfigSection {
  readonly key: string;
  readonly nodes: readonly ConfigNode[];
}

/** `key = value`. */
export interface ConfigEntry {
  readonly key: string;
  readonly value: ConfigValue;
}

export type ConfigNode = ConfigSection | ConfigEntry;

export function isSection(node: ConfigNode): node is ConfigSection {
  return 'nodes' in node;
}

/** The first section with this key. */
export function sectionOf(parent: ConfigSection, key: string): ConfigSection | undefined {
  return parent.nodes.find((node): node is ConfigSection => node.key === key && isSection(node));
}

function entryValue(section: ConfigSection, key: string): ConfigValue | undefined {
  const entry = section.nodes.find((node): node is ConfigEntry => node.key === key && !isSection(node));
  return entry?.value;
}

/** A non-negative integer up to 2^53 - 1, or `fallback` if the key is absent. Without a fallback an absent key throws. */
export function numberOf(section: ConfigSection, key: string, fallback?: number): number {
  const value = entryValue(section, key) ?? fallback;
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  throw wrong(section, key, 'a whole number');
}

/** A string. Throws `ERR_CORRUPT` if the key is absent or has another type. */
export function textOf(section: ConfigSection, key: string): string {
  const value = optionalTextOf(section, key);
  if (value !== undefined) return value;
  throw wrong(section, key, 'a string');
}

export function optionalTextOf(section: ConfigSection, key: string): string | undefined {
  const value = entryValue(section, key);
  return typeof value === 'string' ? value : undefined;
}

/** A list; a scalar is a list of one. Empty if the key is absent. */
export function listOf(section: ConfigSection, key: string): readonly ConfigScalar[] {
  const value = entryValue(section, key);
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly ConfigScalar[]) : [value as ConfigScalar];
}

/** The strings of a list. */
export function stringsOf(section: ConfigSection, key: string): readonly string[] {
  return listOf(section, key).filter((value) => typeof value === 'string');
}

function wrong(section: ConfigSection, key: string, expected: string): DiskError {
  const value = entryValue(section, key);
  const found =
    value === undefined ? 'absent' : Array.isArray(value) ? 'a list' : scalarText(value as ConfigScalar);
  return new DiskError('ERR_CORRUPT', `${key} of ${section.key} must be ${expected}; it is ${found}`);
}

function scalarText(value: ConfigScalar): string {
  return typeof value === 'string' ? quote(value.slice(0, 64)) : String(value);
}
