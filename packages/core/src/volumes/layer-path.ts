import { isUrl } from '../stack/location-names.ts';

/**
 * A layer inside of an image is addressed as `IMAGE#LAYER[/LAYER…]`: `disk.qcow2#p4/lv:vg0/root`. What a step is called
 * is for the layouts to say, and a step may have slashes of its own.
 */

/** The path of a layer that stands on another one. */
export function layerPath(below: string, isSource: boolean, step: string): string {
  return `${below}${isSource ? '#' : '/'}${step}`;
}

/** A name as (part of) a step: `/`, `#` and `%` are escaped as in a URL, so that a step ends where it seems to. */
export function encodeStep(name: string): string {
  return name.replace(/[%/#]/g, (character) => encodeURIComponent(character));
}

/** The name of a step that `encodeStep` made. `undefined` where it made no such step. */
export function decodeStep(step: string): string | undefined {
  try {
    return decodeURIComponent(step);
  } catch {
    return undefined;
  }
}

/** Whether a path leads to this layer, or to one above it. */
export function leadsThrough(path: string, layer: string): boolean {
  if (!path.startsWith(layer)) return false;
  const next = path[layer.length];
  return next === undefined || next === '/' || next === '#';
}

/** An address, taken apart. */
export interface Address {
  readonly image: string;
  /** The layers inside of it; `''` for the image itself. */
  readonly layers: string;
}

/**
 * File names may have a `#` too: the longest part of the address that is there is the image. In a URL the first `#` ends
 * the image: a server is never asked for what follows it.
 */
export async function splitAddress(
  address: string,
  isThere: (path: string) => Promise<boolean>,
): Promise<Address> {
  const fragment = isUrl(address) ? address.indexOf('#') : -1;
  if (fragment >= 0) return { image: address.slice(0, fragment), layers: address.slice(fragment + 1) };
  for (let end = address.length; end > 0; end = address.lastIndexOf('#', end - 1)) {
    const image = address.slice(0, end);
    if (await isThere(image)) return { image, layers: address.slice(end + 1) };
  }
  const hash = address.lastIndexOf('#');
  return hash < 0
    ? { image: address, layers: '' }
    : { image: address.slice(0, hash), layers: address.slice(hash + 1) };
}
