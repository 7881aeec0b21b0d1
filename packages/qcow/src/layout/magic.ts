/** "QFI\xfb": the first four bytes of every version. */
export const MAGIC = [0x51, 0x46, 0x49, 0xfb] as const;
