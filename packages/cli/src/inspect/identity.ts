import { hex, type Match, quote } from '@diskstack/core';
import type { Recognised } from '@diskstack/core/format';
import { type InspectCheck, passed, violated } from './verdict.ts';

/** The format of a file, and the checks of it. */
export interface Identity {
  /** The format to continue with; `undefined` if two formats claim the file. */
  readonly format: string | undefined;
  readonly checks: readonly InspectCheck[];
}

/**
 * Judges the format by the first bytes and by the places where other programs look. A file that matches two formats is
 * read as one thing here and as another by the next program.
 */
export function identify(
  matches: readonly Match[],
  found: readonly Recognised[],
  declared: string | undefined,
): Identity {
  const certain = matches.filter(({ rank }) => rank !== 'fallback').map(({ format }) => format.name);
  const [best, second] = matches;
  const isTie = second !== undefined && second.rank === best?.rank;
  const format = declared ?? (isTie ? undefined : best?.format.name);
  const others = found.filter((one) =>
    certain.length === 0 ? isImage(one) : isFace(one) && !certain.includes(one.name),
  );
  return { format, checks: [formatCheck(certain, format, declared), polyglotCheck(certain, others)] };
}

/** Whether some program takes the file for an image, which may then name further files. QCOW is judged by the formats themselves. */
function isImage({ kind, name }: Recognised): boolean {
  return (kind === 'image' || kind === 'archive') && name !== 'qcow2';
}

/** Disks begin with a partition table or an ISO file system. In a raw disk that is harmless; any other image then has two formats. */
function isFace(found: Recognised): boolean {
  return isImage(found) || found.kind === 'table' || found.name === 'iso9660';
}

function formatCheck(
  certain: readonly string[],
  format: string | undefined,
  declared: string | undefined,
): InspectCheck {
  if (format === undefined) return violated('format', `the formats ${certain.join(' and ')} claim the file`);
  const other = certain.find((name) => name !== format);
  if (declared !== undefined && other !== undefined)
    return violated('format', `declared as ${quote(declared)}, and ${other} by its magic number`);
  if (declared !== undefined && declared !== 'raw' && certain.length === 0)
    return violated('format', `declared as ${quote(declared)}, and its magic number is not there`);
  if (certain.length === 0) return passed('format', 'raw: the magic number of no other format is there');
  return passed('format', `${format}, by its magic number`);
}

function polyglotCheck(certain: readonly string[], others: readonly Recognised[]): InspectCheck {
  if (certain.length > 1) return violated('polyglot', `the file is ${certain.join(' and ')}`);
  if (others.length === 0) return passed('polyglot', 'the file has one face');
  const faces = others.map(({ name, at }) => `${name} at byte ${hex(at)}`).join(', ');
  const [claimed = 'raw'] = certain;
  return violated('polyglot', `taken as ${claimed}, the file has the magic number of ${faces}`);
}
