import type { PlacedPart } from '@diskstack/core/format';
import type { WriteContext } from './write-context.ts';

/** Checks that no part overlaps metadata, and makes the file long enough for all parts. */
export async function checkParts(
  { state, guard, external }: WriteContext,
  parts: readonly PlacedPart[],
): Promise<void> {
  let end = 0;
  for (const { at, length, before, after } of parts) {
    if (!external) guard.checkData(at - before, before + length + after);
    end = Math.max(end, at + length + after);
  }
  await state.file.reachData(end);
}
