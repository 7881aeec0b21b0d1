import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export interface Cost<T> {
  readonly result: T;
  readonly milliseconds: number;
  /** Bytes of heap and buffers that are still in use when the work is done, beyond those before it. */
  readonly bytesKept: number;
}

/** What a piece of work costs. The memory of its result counts. */
export async function costOf<T>(work: () => Promise<T>): Promise<Cost<T>> {
  const before = bytesInUse();
  const start = performance.now();
  const result = await work();
  const milliseconds = performance.now() - start;
  return { result, milliseconds, bytesKept: bytesInUse() - before };
}

function bytesInUse(): number {
  collectGarbage();
  collectGarbage(); // buffers go in the second round
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
