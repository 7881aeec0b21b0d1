interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Bytes that one span of each row describes. */
export interface Step<A, B> extends Span {
  readonly a: A;
  readonly b: B;
}

/** Two rows of spans over the same bytes as one, cut wherever one of them changes. */
export async function* inStep<A extends Span, B extends Span>(
  spansOfA: AsyncGenerator<A>,
  spansOfB: AsyncGenerator<B>,
): AsyncGenerator<Step<A, B>> {
  try {
    let a = await spansOfA.next();
    let b = await spansOfB.next();
    let offset = 0;
    while (!a.done && !b.done) {
      const endOfA = a.value.offset + a.value.length;
      const endOfB = b.value.offset + b.value.length;
      const end = Math.min(endOfA, endOfB);
      yield { offset, length: end - offset, a: a.value, b: b.value };
      offset = end;
      if (endOfA === end) a = await spansOfA.next();
      if (endOfB === end) b = await spansOfB.next();
    }
  } finally {
    await Promise.allSettled([spansOfA.return(undefined), spansOfB.return(undefined)]);
  }
}
