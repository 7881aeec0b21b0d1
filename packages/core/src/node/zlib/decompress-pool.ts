import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { roundUp } from '../../binary/safe-number.ts';
import type { DecompressJob, DecompressNow } from '../../contracts/codec.ts';
import { claim, JOB, type PoolBatch, type PoolCodec, type PoolReply, STATE } from './pool-batch.ts';

/** Bytes decompressed before threads start: about 40 ms of work. */
const WORTH_A_THREAD = 16 * 1024 * 1024;
/** Buffer sizes are multiples of this many bytes, so that later batches can reuse a buffer. */
const BUFFER_STEP = 1024 * 1024;
/** The most buffers that are kept for later batches. */
const SPARE_BUFFERS = 8;

interface RunningBatch {
  readonly batch: PoolBatch;
  /** Threads that may still use the buffers of the batch. */
  readonly helpers: Set<Worker>;
  readonly released: () => void;
}

/**
 * Threads that decompress batches of streams. The calling thread takes part: every thread takes the next stream of a batch until
 * none is left, so no read waits for a thread that is slow to wake.
 *
 * Threads start only after enough work. They keep the process alive only while a batch waits for them, so a finished program
 * exits even if a thread is still starting.
 */
export class DecompressPool {
  readonly threads: number;
  #started = false;
  readonly #ready: Worker[] = [];
  readonly #running = new Map<number, RunningBatch>();
  readonly #spare: SharedArrayBuffer[] = [];
  #nextBatch = 0;
  #bytes = 0;

  /** `threads`: number of threads besides the calling one. */
  constructor(threads: number) {
    this.threads = threads;
  }

  /** Decompresses the streams. Returns for each stream its error message, or `undefined`. `own` decompresses on this thread. */
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
      else failures[index] = failureOf(own, job); // also a stream whose thread has ended
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

  /** Records that the thread no longer uses this batch. */
  #release(worker: Worker, running: RunningBatch | undefined): void {
    if (running === undefined || !running.helpers.delete(worker) || running.helpers.size > 0) return;
    this.#running.delete(running.batch.batch);
    running.released();
    if (this.#running.size === 0) for (const ready of this.#ready) ready.unref();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    // The script is beside this file, with the same extension: TypeScript source, compiled code or a bundle.
    const extension = /\.\w+$/.exec(import.meta.url)?.[0] ?? '.js';
    const script = new URL(`./decompress-worker${extension}`, import.meta.url);
    for (let thread = 0; thread < this.threads; thread++) {
      const worker = startWorker(script);
      if (worker === undefined) return;
      worker.on('message', ({ batch }: PoolReply) => {
        if (batch === undefined) this.#ready.push(worker);
        else this.#release(worker, this.#running.get(batch));
      });
      worker.on('error', () => this.#lose(worker)); // the calling thread does its unfinished streams
      worker.on('exit', () => this.#lose(worker));
      worker.unref(); // after `on('message')`, which would keep the process alive
    }
  }

  /** Removes a thread that has ended, so that no batch waits for it. */
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

/** Starts a thread. `undefined` if the process may not start threads, as with Node's `--permission`. */
function startWorker(script: URL): Worker | undefined {
  try {
    return new Worker(script);
  } catch {
    return undefined;
  }
}

/** Number of processors besides the one of this thread. */
export function furtherProcessors(): number {
  return availableParallelism() - 1;
}

/** The offset of each part when the parts follow each other, and the end of the last one. */
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
