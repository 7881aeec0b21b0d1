import { inspect } from 'node:util';
import { DiskError } from '@diskstack/core';
import { CommanderError } from 'commander';
import { escapeUnsafe } from './safe-text.ts';

export interface FailureOptions {
  /** Exit status. Default: 1. A command that `--help` or `--version` ends has 0. */
  readonly status?: number | undefined;
  /** Also print the stack and the causes. */
  readonly debug?: boolean | undefined;
  /** `--untrusted` was given: the command opens nothing that an image names. */
  readonly untrusted?: boolean | undefined;
}

/** The error that ended a command, and how to report it. */
export class Failure extends Error {
  override readonly cause: unknown;
  readonly status: number;
  readonly options: FailureOptions;

  constructor(cause: unknown, options: FailureOptions = {}) {
    super(cause instanceof Error ? cause.message : String(cause));
    const own = cause instanceof CommanderError && cause.exitCode === 0 ? 0 : 1;
    this.cause = cause;
    this.status = own === 0 ? 0 : (options.status ?? own);
    this.options = options;
  }
}

/** Prints one line on stderr, `diskstack: CODE: what is wrong`, and with `--debug` the details below it. */
export function reportFailure({ cause, options }: Failure): void {
  const line = `diskstack: ${codeOf(cause)}: ${sentenceOf(cause)}${hintFor(cause, options)}`;
  process.stderr.write(`${escapeUnsafe(line)}\n`);
  if (!options.debug) return;
  for (const detail of inspect(cause).split('\n')) process.stderr.write(`${escapeUnsafe(detail)}\n`);
}

function codeOf(error: unknown): string {
  if (error instanceof DiskError) return error.code;
  return error instanceof CommanderError ? 'ERR_ARGUMENT' : 'ERR_INTERNAL';
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof CommanderError)) return error.message;
  if (error.code === 'commander.help') return 'no command is given; diskstack --help lists them';
  return error.message
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ');
}

/** The option of the command that sets what the error says can be set. */
function hintFor(error: unknown, { untrusted }: FailureOptions): string {
  const hint = error instanceof DiskError ? error.hint : undefined;
  switch (hint?.option) {
    case 'allowBacking':
      return untrusted ? '' : ' (--allow-backing DIR allows a further folder)';
    case 'allowSchemes':
      return untrusted ? '' : ' (--allow-scheme SCHEME allows one)';
    case 'keys':
      return ' (--secret file=PATH or --secret env=NAME gives one)';
    case 'limits':
      return hint.name === 'maxChainDepth'
        ? ' (--max-chain-depth COUNT sets it)'
        : ` (--limit ${hint.name}=VALUE sets it)`;
    case 'locking':
      return ' (-U, --force-share)';
    case 'pvs':
      return ' (give it with --pv IMAGE)';
    default:
      return ''; // none, or one of a later version that a plugin brings
  }
}
