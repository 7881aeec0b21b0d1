import type { NameStyle } from '../contracts/named-disk.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { schemeOf, unescapeUrl } from './location-names.ts';

/**
 * A name without a scheme, as a driver of another style reads it. A relative name is translated part by part. An absolute one
 * is of another computer: `ERR_BACKING_DENIED`.
 */
export function translateName(name: string, from: 'posix' | 'win32', to: NameStyle): string {
  if (from === 'win32') return to === 'win32' ? name : fromWindows(name);
  if (to === 'posix') return withoutScheme(name);
  return fromPosix(name, to);
}

/** A relative reference of a URL (RFC 3986, 4.2), as a driver of this style reads it. */
export function translateReference(reference: string, to: NameStyle): string {
  if (/[?#]/.test(reference)) throw denied(reference, 'has a query or a fragment, which no file has');
  return fromPosix(unescapePath(reference), to);
}

/**
 * The URL of a scheme whose driver has paths: `file:///dir/disk%201` is `file:/dir/disk 1`. A path on Windows follows a slash:
 * `file:///C:/disk`.
 */
export function pathOfUrl(url: string, to: 'posix' | 'win32'): string {
  const [, scheme = '', host = '', path = ''] = /^([^:]*):(?:\/\/([^/?#]*))?([^?#]*)$/.exec(url) ?? [];
  if (path === '' || (host !== '' && host !== 'localhost')) throw denied(url, 'is no file of this computer');
  const plain = unescapePath(path);
  return `${scheme}:${to === 'win32' ? plain.replace(/^\/(?=[a-z]:)/i, '') : plain}`;
}

function fromWindows(name: string): string {
  if (/^[a-z]:/i.test(name))
    throw denied(name, 'is a path of Windows with a drive, and there are no drives here');
  if (/^[\\/]/.test(name))
    throw denied(name, 'is an absolute path of Windows, and other paths are used here');
  if (name.includes(':')) throw denied(name, 'names a stream of a file of Windows');
  return name.replaceAll('\\', '/');
}

function fromPosix(name: string, to: NameStyle): string {
  if (to === 'posix' && !name.startsWith('/')) return withoutScheme(name);
  if (name.startsWith('/')) throw denied(name, 'is an absolute path, and its rules are not those used here');
  if (to === 'win32' && /[\\:]/.test(name))
    throw denied(name, 'has characters that Windows has in no file name');
  return to === 'url' ? withoutScheme(name) : name;
}

/** A colon is an ordinary character here, and must not make a scheme. */
function withoutScheme(name: string): string {
  return schemeOf(name) === undefined ? name : `./${name}`;
}

/** An escaped slash would be a character of a name, which no driver has. */
function unescapePath(path: string): string {
  const parts = path.split('/').map((part) => unescapeUrl(part));
  for (const part of parts) {
    if (part === undefined || /[/\0]/.test(part))
      throw denied(path, 'has escapes that are no part of a file name');
  }
  return parts.join('/');
}

function denied(name: string, why: string): DiskError {
  return new DiskError('ERR_BACKING_DENIED', `the image names ${quote(name)}, which ${why}`);
}
