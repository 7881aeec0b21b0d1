import { refuseUndecodable } from './command-line/undecodable.ts';
import { buildProgram } from './program.ts';
import { Failure, reportFailure } from './terminal/failure.ts';
import { handleProcessEvents } from './terminal/process-events.ts';
import { isOutputAbandoned, PipeClosed } from './terminal/stdout.ts';

/**
 * Runs one command line. It leaves the exit status in `process.exitCode`: the process then ends by itself, after all
 * output is written.
 */
export async function run(args: readonly string[]): Promise<void> {
  handleProcessEvents();
  process.on('uncaughtException', (error) => {
    // After an error that nothing caught, open work may never end.
    reportFailure(new Failure(error, { debug: args.includes('--debug') }));
    process.exit(1);
  });
  try {
    refuseUndecodable(args);
    const program = await buildProgram(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof PipeClosed) return; // the reader of the output has stopped reading
    const failure = error instanceof Failure ? error : new Failure(error);
    if (failure.status !== 0) reportFailure(failure);
    process.exitCode = failure.status;
  }
  if (isOutputAbandoned()) process.exit();
}
