import type { Binding, CFunction, CType } from './binding.ts';

/** The part of `koffi` that is used here. */
interface Koffi {
  load(path: null): {
    func(name: string, result: string, types: readonly string[]): (...values: unknown[]) => unknown;
  };
  errno(): number;
}

/**
 * The binding by the package `koffi`, for Node before 26. `undefined` where it is not installed, or where `--no-addons` or a
 * permission forbids it. It takes some 60 ms to load.
 */
export function koffi(): Binding | undefined {
  try {
    const { createRequire } = process.getBuiltinModule('node:module');
    const module = createRequire(import.meta.url)('koffi') as Koffi;
    const library = module.load(null); // the process itself, and with it the C library that it is linked with
    return {
      call: (name, types, result) => functionOf(library, name, types, result),
      errno: () => module.errno(),
    };
  } catch {
    return undefined;
  }
}

function functionOf<A extends readonly CType[], R extends CType>(
  library: ReturnType<Koffi['load']>,
  name: string,
  types: A,
  result: R,
): CFunction<A, R> | undefined {
  try {
    const call = library.func(
      name,
      result,
      types.map((type) => (type === 'pointer' ? 'void *' : type)),
    );
    // koffi returns an integer of 64 bits as a number where a number can hold it.
    const answer =
      result === 'int64' ? (value: unknown) => BigInt(value as number | bigint) : (value: unknown) => value;
    return ((...values: readonly unknown[]) => answer(call(...values))) as unknown as CFunction<A, R>;
  } catch {
    return undefined;
  }
}
