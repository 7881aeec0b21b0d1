import type { VolumeLayout } from '@diskstack/core/volumes';
import { theName } from './layout.ts';

export { theName };

/** What `diskstack --plugin` registers. */
export const layouts: readonly VolumeLayout[] = [theName];
