import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Runs an example as a program, from source, and answers what it prints. */
export async function runExample(name: string): Promise<string> {
  const main = new URL(`./${name}/src/main.ts`, import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@diskstack/source', main]);
  return stdout;
}
