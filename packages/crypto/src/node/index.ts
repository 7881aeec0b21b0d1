/** `@diskstack/crypto/node`: primitives on `node:crypto`. */
export { nodePrimitives } from './node-primitives.ts';
