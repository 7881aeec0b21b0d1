const LINE = 16;

/** Digits of the offsets of a dump that ends at `end`: eight, and more where that is too few. */
export function offsetWidth(end: number): number {
  return Math.max(8, end.toString(16).length);
}

/** Lines of 16 bytes: offset, bytes in hexadecimal, and the printable ASCII among them. */
export function hexDump(bytes: Uint8Array, offset: number, width: number): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += LINE) {
    const line = bytes.subarray(at, at + LINE);
    const place = (offset + at).toString(16).padStart(width, '0');
    text += `${place}  ${hexOf(line)}  |${asciiOf(line)}|\n`;
  }
  return text;
}

function hexOf(line: Uint8Array): string {
  let text = '';
  for (let index = 0; index < LINE; index++) {
    const byte = line[index];
    if (index > 0) text += index === LINE / 2 ? '  ' : ' ';
    text += byte === undefined ? '  ' : byte.toString(16).padStart(2, '0');
  }
  return text;
}

function asciiOf(line: Uint8Array): string {
  let text = '';
  for (const byte of line) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
  return text;
}
