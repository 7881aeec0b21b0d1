import { DiskError, quote } from '@diskstack/core';

interface OptionHelp {
  readonly type: 'str' | 'size' | 'num' | 'bool (on/off)';
  readonly help: string;
}

/** The help of each key, in the words of qemu-img. */
export const OPTION_HELP: Readonly<Record<string, OptionHelp>> = {
  backing_file: { type: 'str', help: 'File name of a base image' },
  backing_fmt: { type: 'str', help: 'Image format of the base image' },
  cluster_size: { type: 'size', help: 'qcow2 cluster size' },
  compat: { type: 'str', help: 'Compatibility level (v2 [0.10] or v3 [1.1])' },
  compression_type: { type: 'str', help: 'Compression method used for image cluster compression' },
  data_file: { type: 'str', help: 'File name of an external data file' },
  data_file_raw: { type: 'bool (on/off)', help: 'The external data file must stay valid as a raw image' },
  'encrypt.cipher-alg': { type: 'str', help: 'Name of encryption cipher algorithm' },
  'encrypt.cipher-mode': { type: 'str', help: 'Name of encryption cipher mode' },
  'encrypt.format': { type: 'str', help: "Encrypt the image, format choices: 'aes', 'luks'" },
  'encrypt.hash-alg': { type: 'str', help: 'Name of encryption hash algorithm' },
  'encrypt.iter-time': { type: 'num', help: 'Time to spend in PBKDF in milliseconds' },
  'encrypt.ivgen-alg': { type: 'str', help: 'Name of IV generator algorithm' },
  'encrypt.ivgen-hash-alg': { type: 'str', help: 'Name of IV generator hash algorithm' },
  'encrypt.key-secret': { type: 'str', help: 'ID of secret providing qcow AES key or LUKS passphrase' },
  'encrypt.keyslot': { type: 'num', help: 'Select a single keyslot to modify explicitly' },
  'encrypt.new-secret': {
    type: 'str',
    help: 'New secret to set in the matching keyslots. Empty string to erase',
  },
  'encrypt.old-secret': { type: 'str', help: 'Select all keyslots that match this password' },
  'encrypt.state': { type: 'str', help: 'Select new state of affected keyslots (active/inactive)' },
  encryption: {
    type: 'bool (on/off)',
    help: "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)",
  },
  extended_l2: { type: 'bool (on/off)', help: 'Extended L2 tables' },
  extent_size_hint: { type: 'size', help: 'Extent size hint for the image file, 0 to disable' },
  lazy_refcounts: { type: 'bool (on/off)', help: 'Postpone refcount updates' },
  nocow: { type: 'bool (on/off)', help: 'Turn off copy-on-write (valid only on btrfs)' },
  preallocation: { type: 'str', help: 'Preallocation mode (allowed values: off, metadata, falloc, full)' },
  refcount_bits: { type: 'num', help: 'Width of a reference count entry in bits' },
  size: { type: 'size', help: 'Virtual disk size' },
};

/** Help that differs for a format. */
const HELP_OF_FORMAT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  raw: { preallocation: 'Preallocation mode (allowed values: off, falloc, full)' },
  qcow: {
    backing_fmt: 'Format of the backing image',
    'encrypt.format': "Encrypt the image, format choices: 'aes'",
    'encrypt.key-secret': 'ID of the secret that provides the AES encryption key',
  },
};

/** Keys of the file that holds the image. They are listed only if its name is given. */
const OF_FILES = ['extent_size_hint', 'nocow'];
const COLUMN = 22;

/** The list of `-o help`, as in qemu-img: the keys of the format, and with the name of a file also those of files. */
export function optionHelp(format: string, keys: readonly string[], hasFile: boolean): string {
  // A raw image is its file.
  const shownKeys = keys.filter(
    (key) => hasFile || !(OF_FILES.includes(key) || (format === 'raw' && key === 'preallocation')),
  );
  const title = hasFile ? 'Supported options:' : `Supported ${format} options:`;
  const more = hasFile
    ? []
    : [
        '',
        'The protocol level may support further options.',
        'Specify the target filename to include those options.',
      ];
  return [title, ...shownKeys.map((key) => lineOf(key, format)), ...more].map((line) => `${line}\n`).join('');
}

/** The list of `amend -o help`. */
export function amendHelp(format: string, keys: readonly string[]): string {
  return [`Amend options for '${format}':`, ...keys.map((key) => lineOf(key, format))]
    .map((line) => `${line}\n`)
    .join('');
}

function lineOf(key: string, format: string): string {
  const known = OPTION_HELP[key];
  if (known === undefined) throw new DiskError('ERR_ARGUMENT', `no help is written for ${quote(key)}`);
  const help = HELP_OF_FORMAT[format]?.[key] ?? known.help;
  return `  ${`${key}=<${known.type}>`.padEnd(COLUMN)} - ${help}`;
}

/** Whether the arguments of a command ask for that list: `-o help` or `-o ?`, alone or among other keys. */
export function asksForOptionHelp(args: readonly string[]): boolean {
  return args.some((arg, index) => {
    const [, attached] = /^(?:-o|--options?=)(.+)$/s.exec(arg) ?? [];
    const before = args[index - 1] ?? '';
    const value = attached ?? (/^(?:-o|--options?)$/.test(before) ? arg : '');
    return value.split(',').some((part) => part === 'help' || part === '?');
  });
}
