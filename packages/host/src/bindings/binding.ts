/** Types of C, with the names of node:ffi. A `pointer` is one to the first byte of an array. */
export type CType = 'int32' | 'int64' | 'pointer';

interface CValueOf {
  readonly int32: number;
  readonly int64: bigint;
  readonly pointer: Uint8Array;
}

type CValue<T extends CType> = CValueOf[T];
type CValues<A extends readonly CType[]> = { [K in keyof A]: CValue<A[K]> };

/** A function of the C library. It throws a TypeError for an argument that does not fit its type. */
export type CFunction<A extends readonly CType[], R extends CType> = (...values: CValues<A>) => CValue<R>;

/** A way to call the C library that this process runs on. One file of `bindings/` for each way. */
export interface Binding {
  /** `undefined` when the C library has no function of that name. */
  call<const A extends readonly CType[], R extends CType>(
    name: string,
    types: A,
    result: R,
  ): CFunction<A, R> | undefined;
  /** The `errno` of the last call that failed. Read it before anything else is called. */
  errno(): number;
}
