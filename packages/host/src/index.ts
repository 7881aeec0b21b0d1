/** `@diskstack/host`: what the operating system can do beyond Node's `fs`, by calls of the C library. */
export { openHost } from './open-host.ts';
