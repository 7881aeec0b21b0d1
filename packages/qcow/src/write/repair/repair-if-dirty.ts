import { has } from '../../image/image.ts';
import type { WriteContext } from '../data/write-context.ts';

/**
 * Repairs an image that was not closed cleanly (qcow2 spec, "Dirty bit"). The repair is loaded only then: most programs that
 * write never need it.
 */
export async function repairIfDirty(context: WriteContext): Promise<void> {
  if (has(context.state.image, 'dirty')) await (await import('./repair-image.ts')).repairUnclosed(context);
}
