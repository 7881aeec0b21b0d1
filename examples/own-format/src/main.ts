// Registers a new format and opens an image, which is recognised by its magic number.
import { createDisks } from '@diskstack/core';
import { raw } from '@diskstack/raw';
import { formats } from './tiny-sparse.ts';

// Three blocks of 16 bytes. The second one is stored, the others are holes.
const image = new Uint8Array(20 + 3 * 4 + 16);
image.set(new TextEncoder().encode('TINYSPRS'));
const view = new DataView(image.buffer);
view.setBigUint64(8, 48n, true);
view.setUint32(16, 16, true);
view.setUint32(20 + 4, 1, true);
image.set(new TextEncoder().encode('sixteen bytes :)'), 32);

const disks = createDisks({ formats: [raw, ...formats] });
await using disk = await disks.open(image);
console.log(`${disk.diskType}: ${disk.size()} bytes, "${new TextDecoder().decode(await disk.read(16, 16))}"`);
