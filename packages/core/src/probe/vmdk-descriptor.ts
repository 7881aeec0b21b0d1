/** Bytes at the start of a file that are searched for a VMDK descriptor. */
const DESCRIPTOR_BYTES = 2048;

/** Whether the text is a VMDK descriptor, which names the extents of the image: comments and empty lines, then the version. */
export function isVmdkDescriptor(head: Uint8Array): boolean {
  const start = String.fromCharCode(...head.subarray(0, DESCRIPTOR_BYTES));
  if (/^# *disk descriptorfile/i.test(start)) return true;
  const line = start.split('\n').find((text) => !text.startsWith('#') && /[^ \r]/.test(text));
  return /^version=[0-9]+\r?$/.test(line ?? '');
}
