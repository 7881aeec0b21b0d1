import type { StorageDriver } from '@diskstack/core/format';
import { theName } from './driver.ts';

export type { Client } from './client.ts';
export { theName } from './driver.ts';

/** What `diskstack --plugin` registers. */
export const drivers: readonly StorageDriver[] = [theName()];
