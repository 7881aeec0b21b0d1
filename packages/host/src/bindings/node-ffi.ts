import type { Binding, CFunction, CType } from './binding.ts';

/** The part of `node:ffi` that is used here. The types of Node 22.15 do not have the module. */
interface NodeFfi {
  readonly DynamicLibrary: new (path: null) => DynamicLibrary;
  getInt32(address: bigint): number;
}

interface DynamicLibrary {
  getFunction(
    name: string,
    signature: { readonly arguments: readonly string[]; readonly return: string },
  ): (...values: readonly unknown[]) => unknown;
}

/**
 * The binding of Node 26 and later. `undefined` where Node has no `node:ffi`, where `--no-experimental-ffi` or a permission
 * forbids it, and where the process is not linked with a C library. Node prints an ExperimentalWarning once.
 */
export function nodeFfi(): Binding | undefined {
  try {
    const ffi = process.getBuiltinModule('node:ffi') as NodeFfi | undefined;
    if (ffi === undefined) return undefined;
    const library = new ffi.DynamicLibrary(null); // the process itself, and with it the C library that it is linked with
    const errnoLocation = library.getFunction('__errno_location', { arguments: [], return: 'pointer' });
    return {
      call: (name, types, result) => functionOf(library, name, types, result),
      errno: () => ffi.getInt32(errnoLocation() as bigint), // each thread has its own
    };
  } catch {
    return undefined;
  }
}

function functionOf<A extends readonly CType[], R extends CType>(
  library: DynamicLibrary,
  name: string,
  types: A,
  result: R,
): CFunction<A, R> | undefined {
  try {
    return library.getFunction(name, { arguments: types, return: result }) as CFunction<A, R>;
  } catch {
    return undefined;
  }
}
