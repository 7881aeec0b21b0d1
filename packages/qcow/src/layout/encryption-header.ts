import { offset64, struct } from '@diskstack/core/format';

/** qcow2 spec, "Full disk encryption header pointer". */
export const ENCRYPTION_HEADER = struct('big', { offset: offset64, length: offset64 });
