import { portablePrimitives } from '../../src/index.ts';
import { nodePrimitives } from '../../src/node/index.ts';

/** Both implementations, which must behave the same. */
export const EACH_PRIMITIVES = [
  ['node primitives', nodePrimitives],
  ['portable primitives', portablePrimitives],
] as const;

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}

/** 0, 1, 2 … again and again. */
export function counting(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff);
}
