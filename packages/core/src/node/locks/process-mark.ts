import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Identifies the process that made a lock. Distinguishes it from a later process with the same number. */
export interface ProcessMark {
  readonly pid: number;
  /** Start time of the process in ticks since boot; `''` if unknown. */
  readonly started: string;
  /** Identifies one boot of the system; `''` if unknown. */
  readonly boot: string;
  /** The PID namespace: each container has its own. */
  readonly namespace: string;
  readonly host: string;
  /** Unique id of the lock. */
  readonly id: string;
}

/**
 * - `own`: this process
 * - `alive`: another process, which is running
 * - `dead`: it has ended
 * - `unknown`: it was started on another machine or in another container, and cannot be checked from here
 */
export type Liveness = 'own' | 'alive' | 'dead' | 'unknown';

const PREFIX = 'diskstack';
let own: Omit<ProcessMark, 'id'> | undefined;
let made = 0;

/** Makes a mark of this process for a new lock. */
export function ownMark(): ProcessMark {
  own ??= {
    pid: process.pid,
    started: stateOf(process.pid)?.started ?? '',
    boot: textOf(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')),
    namespace: textOf(() => readlinkSync('/proc/self/ns/pid')),
    host: textOf(hostname),
  };
  const id = `${process.hrtime.bigint().toString(36)}${(made++).toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  return { ...own, id };
}

/** Encodes a mark as one word without slashes or spaces, which can be the target of a symbolic link. */
export function encodeMark({ pid, started, boot, namespace, host, id }: ProcessMark): string {
  return [PREFIX, pid, started, boot, namespace, host, id].join(':');
}

export function decodeMark(text: string): ProcessMark | undefined {
  const [prefix, pidText = '', started = '', boot = '', namespace = '', host = '', id = ''] = text.split(':');
  const pid = /^[1-9][0-9]{0,9}$/.test(pidText) ? Number(pidText) : 0;
  if (prefix !== PREFIX || pid === 0 || !/^[\w-]{1,64}$/.test(id)) return undefined;
  return { pid, started, boot, namespace, host, id };
}

export function livenessOf(mark: ProcessMark): Liveness {
  const self = ownMark();
  const { pid, started } = mark;
  if (mark.boot !== self.boot) return mark.host === self.host ? 'dead' : 'unknown';
  if (mark.namespace !== self.namespace || (self.boot === '' && mark.host !== self.host)) return 'unknown';
  if (pid === self.pid && started === self.started) return 'own';
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return 'dead';
  }
  const state = stateOf(pid);
  if (state === undefined) return 'alive'; // the processes of other users may be hidden
  return state.hasEnded || state.started !== started ? 'dead' : 'alive';
}

/** Reads fields 3 and 22 of `/proc/PID/stat`. Field 2, the name, may contain spaces and brackets. */
function stateOf(pid: number): { readonly started: string; readonly hasEnded: boolean } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const started = fields[19];
    return started === undefined ? undefined : { started, hasEnded: /^[ZX]/.test(fields[0] ?? '') };
  } catch {
    return undefined;
  }
}

/** Keeps only word characters, `.` and `-`, because `:` separates the fields of a mark. */
function textOf(read: () => string): string {
  try {
    return read()
      .replace(/[^\w.-]/g, '')
      .slice(0, 64);
  } catch {
    return '';
  }
}
