import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { roundUp } from '../../binary/safe-number.ts';
import type { DecompressJob, DecompressNow } from '../../contracts/codec.ts';
import { claim, JOB, type PoolBatch, type PoolCodec, type PoolReply, STATE } from './pool-batch.ts';

/** Bytes that are decompressed before a thread is worth its start: some 40 ms. */
const WORTH_A_THREAD = 16 * 1024 * 1024;
/** Buffers are made in multiples of this, so that they fit the next batch too. */
const BUFFER_STEP = 1024 * 1024;
/** Buffers that are kept for the next batches. */
const SPARE_BUFFERS = 8;

interface RunningBatch {
  readonly batch: PoolBatch;
  /** Threads that may still touch its buffers. */
  readonly helpers: Set<Worker>;
  readonly released: () => void;
}

/**
 * Threads that decompress. The calling thread takes part: all of them take one stream after the other from a batch until
 * none is left, so that no read waits for a thread that is slow to wake.
 *
 * Threads start once there has been enough to do. They keep the process alive only while a batch waits for them: a program
 * whose work is done ends, also when a thread is still starting.
 */
export class DecompressPool {
  readonly threads: number;
  #started = false;
  readonly #ready: Worker[] = [];
  readonly #running = new Map<number, RunningBatch>();
  readonly #spare: SharedArrayBuffer[] = [];
  #nextBatch = 0;
  #bytes = 0;

  /** `threads` beside the calling one. */
  constructor(threads: number) {
    this.threads = threads;
  }

  /** Answers what is wrong with each stream. `own` decompresses on this thread. */
  async run(
    own: DecompressNow,
    codec: PoolCodec,
    jobs: readonly DecompressJob[],
  ): Promise<readonly (string | undefined)[]> {
    for (const { into } of jobs) this.#bytes += into.length;
    if (this.#bytes > WORTH_A_THREAD) this.#start();
    const helpers = this.#ready.slice(0, jobs.length - 1);
    if (helpers.length === 0) return jobs.map((job) => failureOf(own, job));

    const { batch, released } = this.#post(codec, jobs, helpers);
    const states = new Int32Array(batch.control);
    const failures = new Array<string | undefined>(jobs.length).fill(undefined);
    for (let index = claim(states); index < jobs.length; index = claim(states)) {
      failures[index] = failureOf(own, jobs[index] as DecompressJob);
      Atomics.store(states, JOB + index, STATE.own);
    }
    await released;
    for (const [index, job] of jobs.entries()) {
      const state = Atomics.load(states, JOB + index);
      if (state === STATE.own) continue;
      if (state === STATE.done)
        job.into.set(new Uint8Array(batch.output, batch.outputAt[index], job.into.length));
      else failures[index] = failureOf(own, job); // also what a thread left behind that ended
    }
    this.#keep(batch);
    return failures;
  }

  #post(codec: PoolCodec, jobs: readonly DecompressJob[], helpers: readonly Worker[]) {
    const inputAt = starts(jobs.map(({ stored }) => stored.length));
    const outputAt = starts(jobs.map(({ into }) => into.length));
    const input = this.#buffer(inputAt.at(-1) ?? 0);
    const bytes = new Uint8Array(input);
    for (const [index, { stored }] of jobs.entries()) bytes.set(stored, inputAt[index]);
    const batch: PoolBatch = {
      batch: this.#nextBatch++,
      codec,
      input,
      inputAt,
      output: this.#buffer(outputAt.at(-1) ?? 0),
      outputAt,
      control: new SharedArrayBuffer((JOB + jobs.length) * Int32Array.BYTES_PER_ELEMENT),
    };
    const released = new Promise<void>((resolve) => {
      this.#running.set(batch.batch, { batch, helpers: new Set(helpers), released: resolve });
    });
    for (const helper of helpers) {
      helper.ref();
      helper.postMessage(batch);
    }
    return { batch, released };
  }

  /** The thread no longer touches this batch. */
  #release(worker: Worker, running: RunningBatch | undefined): void {
    if (running === undefined || !running.helpers.delete(worker) || running.helpers.size > 0) return;
    this.#running.delete(running.batch.batch);
    running.released();
    if (this.#running.size === 0) for (const ready of this.#ready) ready.unref();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    // Beside this file, whatever has become of it: TypeScript, its translation, a part of a bundle.
    const extension = /\.\w+$/.exec(import.meta.url)?.[0] ?? '.js';
    const script = new URL(`./decompress-worker${extension}`, import.meta.url);
    for (let thread = 0; thread < this.threads; thread++) {
      const worker = startWorker(script);
      if (worker === undefined) return;
      worker.on('message', ({ batch }: PoolReply) => {
        if (batch === undefined) this.#ready.push(worker);
        else this.#release(worker, this.#running.get(batch));
      });
      worker.on('error', () => this.#lose(worker)); // what it leaves undone is done by the calling thread
      worker.on('exit', () => this.#lose(worker));
      worker.unref(); // last: a listener for messages makes the thread keep the process alive
    }
  }

  /** The thread has ended: batches no longer wait for it. */
  #lose(worker: Worker): void {
    const index = this.#ready.indexOf(worker);
    if (index < 0) return;
    this.#ready.splice(index, 1);
    for (const running of this.#running.values()) this.#release(worker, running);
  }

  #buffer(bytes: number): SharedArrayBuffer {
    const index = this.#spare.findIndex((spare) => spare.byteLength >= bytes);
    const [spare] = index < 0 ? [] : this.#spare.splice(index, 1);
    return spare ?? new SharedArrayBuffer(roundUp(bytes, BUFFER_STEP));
  }

  #keep({ input, output }: PoolBatch): void {
    if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(input, output);
  }
}

/** `undefined` where the process may not start threads, as with Node's `--permission`. */
function startWorker(script: URL): Worker | undefined {
  try {
    return new Worker(script);
  } catch {
    return undefined;
  }
}

/** Processors of this machine beside the one that this thread runs on. */
export function furtherProcessors(): number {
  return availableParallelism() - 1;
}

/** Where each of the parts begins when they stand one behind the other, and where the last one ends. */
function starts(lengths: readonly number[]): readonly number[] {
  let position = 0;
  return [0, ...lengths.map((length) => (position += length))];
}

function failureOf(decompress: DecompressNow, { stored, into }: DecompressJob): string | undefined {
  try {
    decompress(stored, into);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
