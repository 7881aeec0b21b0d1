import { DEFAULT_LIMITS, DiskError, type Limits, quote } from '@diskstack/core';
import { type Command, Option } from 'commander';
import { parseSize } from '../values/byte-size.ts';
import { repeatable } from './repeatable.ts';

/** How images are named, and what they may open: options of every command that opens an image. */
function sourceOptions(): readonly Option[] {
  return [
    new Option('--image-opts', 'images are described as driver=…,file.filename=…, as in qemu'),
    repeatable(
      '--object <secret,id=…>',
      'passphrase that encrypt.key-secret=ID refers to: secret,id=ID,file=PATH or data=TEXT, format=raw or base64 (repeatable)',
    ),
    repeatable(
      '--secret <file=path|env=name>',
      'passphrase of every encrypted image of the chain: in a file (one line feed at its end is cut) or in a variable of the environment',
    ),
    repeatable(
      '--allow-backing <folder>',
      'allow backing files below this folder, beside that of the image (repeatable)',
    ),
    repeatable(
      '--allow-scheme <scheme>',
      'allow names inside images that have this scheme, such as file: (repeatable)',
    ),
    new Option('--untrusted', 'open nothing that an image names, and stop at compression bombs'),
    repeatable(
      '--volume <path=image>',
      'logical volume that backing names may refer to: its path, and the image that holds it (repeatable)',
    ),
    new Option(
      '--max-chain-depth <count>',
      `most images in one backing chain. Default: ${DEFAULT_LIMITS.maxChainDepth}`,
    ),
    repeatable('--limit <name=value>', `set another limit (repeatable): ${LIMIT_NAMES.join(', ')}`),
  ];
}

const LIMIT_NAMES = Object.keys(DEFAULT_LIMITS) as readonly (keyof Limits)[];

/** Adds the options of sources that the command does not define itself. */
export function addSources(command: Command): void {
  const own = new Set(command.options.map((option) => option.long));
  if (command.name() === 'create') own.add('--image-opts'); // a new image is a file
  for (const option of sourceOptions()) if (!own.has(option.long)) command.addOption(option);
}

/** The limits that `--limit` and `--max-chain-depth` set. */
export function parseLimits(declared: readonly string[] = [], maxChainDepth?: string): Partial<Limits> {
  const limits = new Map<string, number>();
  const texts = maxChainDepth === undefined ? declared : [`maxChainDepth=${maxChainDepth}`, ...declared];
  for (const text of texts) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
    if (!LIMIT_NAMES.some((known) => known === name)) {
      const list = LIMIT_NAMES.join(', ');
      throw new DiskError(
        'ERR_ARGUMENT',
        `--limit takes NAME=VALUE, not ${quote(text)}; the names are ${list}`,
      );
    }
    if (limits.has(name)) throw new DiskError('ERR_ARGUMENT', `the limit ${name} is given twice`);
    limits.set(name, parseSize(value, `the limit ${name}`));
  }
  return Object.fromEntries(limits);
}
