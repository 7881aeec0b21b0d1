const { getSystemErrorName } = process.getBuiltinModule('node:util');

/** The error of a system call that failed, in the form of Node's own: `code` is the name of the errno. */
export function systemError(errno: number, syscall: string): Error {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}: the system call failed, ${syscall}`), { code, syscall });
}
