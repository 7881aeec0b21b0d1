import type { DiskFormat } from '@diskstack/core/format';
import { theName } from './format.ts';

export { theName } from './format.ts';

/** What `diskstack --plugin` registers. */
export const formats: readonly DiskFormat[] = [theName];
