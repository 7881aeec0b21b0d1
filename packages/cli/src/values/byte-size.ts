import { DiskError, quote } from '@diskstack/core';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
const SUFFIXES = ['', 'k', 'm', 'g', 't'];
const SIZE_SUFFIXES = ['b', 'k', 'm', 'g', 't', 'p', 'e'];

/** Parses a number of bytes: `4096`, `0x1000`, `4k`, `1M`, `2G`, `1T`. Suffixes are powers of 1024. */
export function parseBytes(text: string, what: string): number {
  const [, digits = '', suffix = ''] = /^(0x[0-9a-f]+|[0-9]+)([kmgt]?)$/i.exec(text) ?? [];
  const bytes = digits === '' ? Number.NaN : Number(digits) * 1024 ** SUFFIXES.indexOf(suffix.toLowerCase());
  return checked(bytes, text, what, '4096, 0x1000, 4k, 1M, 2G or 1T');
}

/** Parses the size of a disk as qemu-img does: also `1.5G`, `2P`, `1E`. Fractions of a byte are cut. */
export function parseSize(text: string, what: string): number {
  if (/^0x/i.test(text)) return parseBytes(text, what);
  const [, digits = '', suffix = ''] = /^([0-9]+(?:\.[0-9]+)?)([bkmgtpe]?)$/i.exec(text) ?? [];
  const unit = 1024 ** Math.max(0, SIZE_SUFFIXES.indexOf(suffix.toLowerCase()));
  const bytes = digits === '' ? Number.NaN : Math.floor(Number(digits) * unit);
  return checked(bytes, text, what, '4096, 4k, 1.5G or 1T');
}

function checked(bytes: number, text: string, what: string, examples: string): number {
  if (Number.isSafeInteger(bytes)) return bytes;
  const why = Number.isNaN(bytes)
    ? `is not a number of bytes; write it as ${examples}`
    : `is more than ${Number.MAX_SAFE_INTEGER} bytes, the most that a disk can have here`;
  throw new DiskError('ERR_ARGUMENT', `${what} ${quote(text)} ${why}`);
}

/** Three digits and a unit, rounded as in qemu-img: `12 MiB`, `1.25 GiB`. */
export function humanBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`;
}

/** `--rate-limit`: bytes per second. 0 means no limit, as in qemu-img. */
export function parseRate(text: string | undefined): number | undefined {
  const rate = text === undefined ? 0 : parseSize(text, '--rate-limit');
  return rate === 0 ? undefined : rate;
}
