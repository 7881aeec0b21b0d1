import type { NameStyle } from '../contracts/named-disk.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { schemeOf, unescapeUrl } from './location-names.ts';

/**
 * Translates a name without a scheme to the style of a driver. A relative name is translated part by part. An absolute name is
 * `ERR_BACKING_DENIED` if the style differs: it belongs to another computer.
 */
export function translateName(name: string, from: 'posix' | 'win32', to: NameStyle): string {
  if (from === 'win32') return to === 'win32' ? name : fromWindows(name);
  if (to === 'posix') return withoutScheme(name);
  return fromPosix(name, to);
}

/** Translates a relative reference of a URL (RFC 3986, 4.2) to the style of a driver. */
export function translateReference(reference: string, to: NameStyle): string {
  if (/[?#]/.test(reference))
    throw denied(reference, 'has a query or a fragment, which file names cannot have');
  return fromPosix(unescapePath(reference), to);
}

/**
 * Translates a URL for a driver that has paths: `file:///dir/disk%201` becomes `file:/dir/disk 1`. On Windows the slash before a
 * drive is removed: `file:///C:/disk` becomes `file:C:/disk`.
 */
export function pathOfUrl(url: string, to: 'posix' | 'win32'): string {
  const [, scheme = '', host = '', path = ''] = /^([^:]*):(?:\/\/([^/?#]*))?([^?#]*)$/.exec(url) ?? [];
  if (path === '' || (host !== '' && host !== 'localhost'))
    throw denied(url, 'is not a file on this computer');
  const plain = unescapePath(path);
  return `${scheme}:${to === 'win32' ? plain.replace(/^\/(?=[a-z]:)/i, '') : plain}`;
}

function fromWindows(name: string): string {
  if (/^[a-z]:/i.test(name))
    throw denied(name, 'is a Windows path with a drive letter; the storage of the image has no drives');
  if (/^[\\/]/.test(name))
    throw denied(name, 'is an absolute Windows path; the storage of the image has other paths');
  if (name.includes(':')) throw denied(name, 'names an alternate data stream of Windows');
  return name.replaceAll('\\', '/');
}

function fromPosix(name: string, to: NameStyle): string {
  if (to === 'posix' && !name.startsWith('/')) return withoutScheme(name);
  if (name.startsWith('/'))
    throw denied(name, 'is an absolute path; the storage of the image has other paths');
  if (to === 'win32' && /[\\:]/.test(name))
    throw denied(name, 'has characters that Windows file names cannot have');
  return to === 'url' ? withoutScheme(name) : name;
}

/** A colon in this name is an ordinary character. `./` keeps it from being read as a scheme. */
function withoutScheme(name: string): string {
  return schemeOf(name) === undefined ? name : `./${name}`;
}

/** Decodes a path part by part. An escaped slash would be part of a name, which no driver supports. */
function unescapePath(path: string): string {
  const parts = path.split('/').map((part) => unescapeUrl(part));
  for (const part of parts) {
    if (part === undefined || /[/\0]/.test(part))
      throw denied(path, 'has escapes that file names cannot have');
  }
  return parts.join('/');
}

function denied(name: string, why: string): DiskError {
  return new DiskError('ERR_BACKING_DENIED', `the image names ${quote(name)}, which ${why}`);
}
