import { run } from '../../src/run.ts';
import type { Run } from './run-cli.ts';

type Done = (error?: Error | null) => void;

/**
 * Runs one command line in this process: many times faster than a process of its own, for tests of many runs. One at a
 * time. Names are as seen from the folder of this process: give absolute ones.
 */
export async function runHere(...args: string[]): Promise<Run> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const restore = [take(process.stdout, out), take(process.stderr, err)];
  const listeners = process.listeners('uncaughtException');
  const exitCode = process.exitCode;
  process.exitCode = undefined;
  try {
    await run(args);
    const status = Number(process.exitCode ?? 0);
    return { status, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() };
  } finally {
    process.exitCode = exitCode;
    for (const listener of process.listeners('uncaughtException'))
      if (!listeners.includes(listener)) process.off('uncaughtException', listener);
    for (const give of restore) give();
  }
}

/** What a good run says, as JSON. */
export async function jsonOf(...args: string[]): Promise<unknown> {
  const { status, stdout, stderr } = await runHere(...args, '--output', 'json');
  if (status !== 0) throw new Error(`diskstack ${args.join(' ')} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout.toString());
}

/** Keeps what is written. Answers how to give the stream back. */
function take(stream: NodeJS.WriteStream, kept: Buffer[]): () => void {
  const own = Object.getOwnPropertyDescriptor(stream, 'write');
  stream.write = (chunk: string | Uint8Array, encoding?: BufferEncoding | Done, done?: Done): boolean => {
    kept.push(Buffer.from(chunk as string));
    const callback = typeof encoding === 'function' ? encoding : done;
    if (callback !== undefined) setImmediate(callback);
    return true;
  };
  return () => {
    if (own === undefined) Reflect.deleteProperty(stream, 'write');
    else Object.defineProperty(stream, 'write', own);
  };
}
