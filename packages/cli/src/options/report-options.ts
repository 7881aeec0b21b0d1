import { Option } from 'commander';

/** Options of every command. */
export interface DebugFlags {
  readonly debug?: boolean;
}

export interface OutputFlags extends DebugFlags {
  readonly output: 'human' | 'json';
}

export function debugOption(): Option {
  return new Option('--debug', 'print debug messages, and the stack of an error');
}

export function outputOption(): Option {
  return new Option('--output <how>', 'output for people or for programs')
    .choices(['human', 'json'])
    .default('human');
}

export function progressOption(): Option {
  return new Option('-p, --progress', 'show progress, even if stderr is not a terminal');
}
