/** Bytes at the start that a VMDK descriptor is looked for in. */
const DESCRIPTOR_BYTES = 2048;

/** A VMDK may be a text that names its extents: comments and empty lines, and then the version. */
export function isVmdkDescriptor(head: Uint8Array): boolean {
  const start = String.fromCharCode(...head.subarray(0, DESCRIPTOR_BYTES));
  if (/^# *disk descriptorfile/i.test(start)) return true;
  const line = start.split('\n').find((text) => !text.startsWith('#') && /[^ \r]/.test(text));
  return /^version=[0-9]+\r?$/.test(line ?? '');
}
