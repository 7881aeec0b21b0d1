import { isUrl } from '../stack/location-names.ts';

/**
 * The address of a layer inside an image is `IMAGE#LAYER[/LAYER…]`: `disk.qcow2#p4/lv:vg0/root`. The layouts define the names of
 * steps. A step may contain slashes.
 */

/** The path of the layer that `step` leads to from the layer `below`. */
export function layerPath(below: string, isSource: boolean, step: string): string {
  return `${below}${isSource ? '#' : '/'}${step}`;
}

/** Escapes a name for use in a step: `/`, `#` and `%` are escaped as in a URL, so that the name cannot end the step. */
export function encodeStep(name: string): string {
  return name.replace(/[%/#]/g, (character) => encodeURIComponent(character));
}

/** The inverse of `encodeStep`. `undefined` for invalid escapes. */
export function decodeStep(step: string): string | undefined {
  try {
    return decodeURIComponent(step);
  } catch {
    return undefined;
  }
}

/** Whether `path` is the path of `layer` or of a layer above it. */
export function leadsThrough(path: string, layer: string): boolean {
  if (!path.startsWith(layer)) return false;
  const next = path[layer.length];
  return next === undefined || next === '/' || next === '#';
}

/** The two parts of an address. */
export interface Address {
  readonly image: string;
  /** The path inside the image; `''` for the image itself. */
  readonly layers: string;
}

/**
 * Splits an address. File names may contain `#`, so the image is the longest prefix that exists. In a URL the first `#` ends the
 * image, because what follows is not sent to the server.
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
