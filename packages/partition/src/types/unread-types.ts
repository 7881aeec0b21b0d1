/** Types that are recognised but not supported: their volumes are described by a database elsewhere on the disk. */
const LDM = 'a Windows dynamic disk (LDM): its volumes are not supported';
const STORAGE_SPACES = 'Windows Storage Spaces: its volumes are not supported';

export const UNREAD_MBR_TYPES: ReadonlyMap<number, string> = new Map([[0x42, LDM]]);

export const UNREAD_GPT_TYPES: ReadonlyMap<string, string> = new Map([
  ['5808C8AA-7E8F-42E0-85D2-E1E90434CFB3', LDM],
  ['AF9B60A0-1431-4F62-BC68-3311714A69AD', LDM],
  ['E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D', STORAGE_SPACES],
]);
