import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export interface Cost<T> {
  readonly result: T;
  /** CPU time of this process, so that other load does not count. */
  readonly milliseconds: number;
  /** Bytes of heap and buffers that are still in use when the work is done, beyond those before it. */
  readonly bytesKept: number;
}

/** What a piece of work costs. The memory of its result counts. */
export async function costOf<T>(work: () => Promise<T>): Promise<Cost<T>> {
  const before = bytesInUse();
  const start = busyMilliseconds();
  const result = await work();
  const milliseconds = busyMilliseconds() - start;
  return { result, milliseconds, bytesKept: bytesInUse() - before };
}

/** Milliseconds that processors have worked for this process. */
export function busyMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function bytesInUse(): number {
  collectGarbage();
  collectGarbage(); // buffers go in the second round
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
