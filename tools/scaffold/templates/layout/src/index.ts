import type { VolumeLayout } from '@diskstack/core/volumes';
import { theName } from './layout.ts';

export { theName } from './layout.ts';

/** What `diskstack --plugin` registers. */
export const layouts: readonly VolumeLayout[] = [theName];
