import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { dropLockFile, isStale, readLockFile, takeLockFile } from '../../../src/node/locks/lock-file.ts';
import {
  decodeMark,
  encodeMark,
  livenessOf,
  ownMark,
  type ProcessMark,
} from '../../../src/node/locks/process-mark.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder();
const meetings = tempFolder();
let count = 0;
const fresh = (): string => join(folder, `${count++}.lock`);

/** A process that has ended. */
const ended = spawnSync('true').pid;
const marked = (changes: Partial<ProcessMark>): ProcessMark => ({ ...ownMark(), ...changes });

afterEach(() => expect(readdirSync(folder).filter((name) => !/^[0-9]+\.lock$/.test(name))).toEqual([]));

describe('whether the process of a mark runs', () => {
  test.for<readonly [string, Partial<ProcessMark>, string]>([
    ['this one', {}, 'own'],
    ['another one that runs', { pid: process.ppid, started: startOf(process.ppid) }, 'alive'],
    ['one that has ended', { pid: ended }, 'dead'],
    ['one whose number another one has now', { pid: process.ppid, started: '1' }, 'dead'],
    ['one from before the last start of the system', { boot: 'other' }, 'dead'],
    ['one of another machine', { boot: 'other', host: 'other' }, 'unknown'],
    ['one of another container', { namespace: 'pid4' }, 'unknown'],
  ])('%s', ([, changes, want]) => {
    expect(livenessOf(marked(changes))).toBe(want);
  });

  test('a mark parses to itself; other text is no mark', () => {
    const mark = ownMark();
    expect(decodeMark(encodeMark(mark))).toEqual(mark);
    for (const text of [
      '',
      'x',
      'diskstack',
      'diskstack:0:1:a:b:c:d',
      'diskstack:-1:1:a:b:c:d',
      'diskstack:1:1:a:b:c:',
    ])
      expect(decodeMark(text)).toBeUndefined();
  });
});

function startOf(pid: number): string {
  const { stdout } = spawnSync('cat', [`/proc/${pid}/stat`], { encoding: 'utf8' });
  return stdout.slice(stdout.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

describe('a lock file', () => {
  test('exists once, names its owner, and is removed with it', () => {
    const path = fresh();
    const mark = ownMark();
    expect(takeLockFile(path, mark)).toBeUndefined();
    expect(takeLockFile(path, ownMark())?.mark).toEqual(mark);
    dropLockFile(path, ownMark()); // somebody else's
    expect(readLockFile(path)?.mark).toEqual(mark);
    dropLockFile(path, mark);
    expect(readLockFile(path)).toBeUndefined();
  });

  test.for<readonly [string, (path: string) => void]>([
    ['of a process that has ended', (path) => symlinkSync(encodeMark(marked({ pid: ended })), path)],
    ['of the same in a file', (path) => writeFileSync(path, encodeMark(marked({ pid: ended })))],
    [
      'that was never written',
      (path) => {
        writeFileSync(path, '');
        utimesSync(path, 1, 1);
      },
    ],
  ])('%s is taken over', ([, make]) => {
    const path = fresh();
    make(path);
    const mark = ownMark();
    expect(takeLockFile(path, mark)).toBeUndefined();
    expect(readLockFile(path)?.mark).toEqual(mark);
    dropLockFile(path, mark);
  });

  test('of a process that died while it took one over is taken over as well', () => {
    const path = fresh();
    const old = marked({ pid: ended });
    symlinkSync(encodeMark(old), path);
    symlinkSync(encodeMark(marked({ pid: ended })), `${path}.${old.id}`);
    const mark = ownMark();
    expect(takeLockFile(path, mark)).toBeUndefined();
    dropLockFile(path, mark);
  });

  test.for<readonly [string, (path: string) => void]>([
    [
      'of a process that runs',
      (path) => symlinkSync(encodeMark(marked({ pid: process.ppid, started: startOf(process.ppid) })), path),
    ],
    ['of another container', (path) => symlinkSync(encodeMark(marked({ namespace: 'pid4' })), path)],
    ['that is being written', (path) => writeFileSync(path, '')],
  ])('%s stays', ([, make]) => {
    const path = fresh();
    make(path);
    const found = takeLockFile(path, ownMark());
    expect(found === undefined || isStale(found)).toBe(false);
  });
});

test('of many processes that take a stale lock over at the same time, one has it', () => {
  const path = fresh();
  const module = new URL('../../../src/node/locks/', import.meta.url).pathname;
  // Each process waits until all have started, then tries, and ends when all have tried.
  const script = `
    const { mkdirSync, readdirSync } = await import('node:fs');
    const { takeLockFile } = await import(${JSON.stringify(`${module}lock-file.ts`)});
    const { ownMark } = await import(${JSON.stringify(`${module}process-mark.ts`)});
    const meet = (place) => {
      mkdirSync(place + '/' + process.pid, { recursive: true });
      while (readdirSync(place).length < 6);
    };
    const place = process.argv[1];
    meet(place + '/here');
    process.stdout.write(takeLockFile(${JSON.stringify(path)}, ownMark()) === undefined ? 'held\\n' : 'refused\\n');
    meet(place + '/tried');`;
  for (let round = 0; round < 2; round++) {
    const old = marked({ pid: ended });
    if (readLockFile(path) === undefined) symlinkSync(encodeMark(old), path); // later the last holder's own, which has ended
    const place = join(meetings, String(round));
    const run = `for i in 1 2 3 4 5 6; do "$NODE" --conditions=@diskstack/source --disable-warning=ExperimentalWarning -e "$SCRIPT" "$PLACE" & done; wait`;
    const { stdout } = spawnSync('sh', ['-c', run], {
      encoding: 'utf8',
      env: {
        ...process.env,
        NODE_OPTIONS: '--experimental-strip-types --input-type=module',
        NODE: process.execPath,
        SCRIPT: script,
        PLACE: place,
      },
    });
    expect(stdout.trim().split('\n').sort()).toEqual(['held', ...Array.from({ length: 5 }, () => 'refused')]);
    expect(readlinkSync(path)).not.toBe(encodeMark(old));
  }
});
