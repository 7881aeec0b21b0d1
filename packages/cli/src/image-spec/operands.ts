import { DiskError, quote } from '@diskstack/core';
import type { Command } from 'commander';
import { optionsOf, optionsOfJson } from '../values/key-values.ts';
import { type ImageSpec, isPartOf, parseImageSpec, plainPath, schemeOf } from './image-spec.ts';

/** Images that are described by more than a path. The keys are the paths that the command uses for them. */
export type ImageSpecs = ReadonlyMap<string, ImageSpec>;

/** Names of operands that are images to read or to change. */
const IMAGES = ['image', 'images', 'files', 'first', 'second'];
const OUTPUT = 'output';

/** The operands of a command, as paths. */
export interface Operands {
  readonly paths: readonly string[];
  readonly specs: ImageSpecs;
}

/**
 * Reads the operands of a command. Each image becomes a path, whether it is given as `NAME`, `file:NAME`, `json:{…}`, or with
 * `--image-opts` as `driver=…,file.filename=…`. `specs` has what is given beyond the path.
 */
export function readOperands(command: Command, imageOpts: boolean): Operands {
  const declared = command.registeredArguments.map((argument) => argument.name());
  const specs = new Map<string, ImageSpec>();
  const last = command.args.length - 1;
  const paths = command.args.map((text, index) => {
    const name = declared[Math.min(index, declared.length - 1)] ?? '';
    const isOutput = name === OUTPUT || (command.name() === 'convert' && index === last && last > 0);
    if (isOutput) return readOutput(text);
    if (command.name() === 'dd') return readDdOperand(text, imageOpts, specs);
    return IMAGES.includes(name) ? readImage(text, imageOpts, specs) : text;
  });
  return { paths, specs };
}

/** `if=IMAGE`, `of=OUTPUT`. */
function readDdOperand(text: string, imageOpts: boolean, specs: Map<string, ImageSpec>): string {
  if (text.startsWith('if=')) return `if=${readImage(text.slice('if='.length), imageOpts, specs)}`;
  return text.startsWith('of=') ? `of=${readOutput(text.slice('of='.length))}` : text;
}

/** The path of an image that is read or changed. */
function readImage(text: string, imageOpts: boolean, specs: Map<string, ImageSpec>): string {
  const spec = specOf(text, imageOpts);
  if (spec === undefined) return withoutScheme(text);
  let { path } = spec.storage;
  // Two descriptions of one file are two images: the second gets another spelling of the path.
  while (specs.has(path)) path = path.startsWith('/') ? `/.${path}` : `./${path}`;
  specs.set(path, spec);
  return path;
}

/** The path of a file that is written: `NAME`, `file:NAME`, or JSON with a path only. */
function readOutput(text: string): string {
  const spec = specOf(text, false);
  if (spec === undefined) return withoutScheme(text);
  const { storage, backing, keySecret } = spec;
  if (isPartOf(storage) || backing !== undefined || keySecret !== undefined)
    throw new DiskError('ERR_UNSUPPORTED', `an output is a whole file, not ${quote(text)}`);
  return storage.path;
}

function specOf(text: string, imageOpts: boolean): ImageSpec | undefined {
  if (text.startsWith('json:'))
    return parseImageSpec(optionsOfJson(text.slice('json:'.length), 'json:'), 'json:');
  return imageOpts ? parseImageSpec(optionsOf(text, '--image-opts'), '--image-opts') : undefined;
}

/** `file:NAME` is the file NAME. */
export function withoutScheme(text: string): string {
  return text.startsWith('file:') ? plainPath(text.slice('file:'.length)) : text;
}

/**
 * Refuses to store a name with a scheme in an image: programs that read the image would take the scheme for a protocol, and
 * not find the file.
 */
export function refuseScheme(name: string, what: string, allowed: readonly string[] = []): void {
  const scheme = schemeOf(name);
  if (scheme === undefined || allowed.includes(scheme)) return;
  const reason =
    scheme === 'file'
      ? `${quote(plainFile(name))} means the same; --allow-scheme file allows the scheme`
      : `a file of that name is ${quote(`./${name}`)}; --allow-scheme ${scheme} allows the scheme`;
  throw new DiskError(
    'ERR_ARGUMENT',
    `${what} ${quote(name)} would be read as protocol ${quote(scheme)}; ${reason}`,
  );
}

function plainFile(name: string): string {
  return plainPath(name.slice('file:'.length));
}
