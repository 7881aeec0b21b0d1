import { createDisks } from '@diskstack/core';
import { describeDiskModule, pattern } from '@diskstack/core/testing';
import { theName } from '../src/index.ts';
import { HEADER, MAGIC } from '../src/layout/header.ts';

// Fails until `translate` reports where the bytes are. Replace the image by one that the format's own tools have made.
const content = pattern(256 * 1024);
const image = new Uint8Array(HEADER.size + content.length);
image.set(HEADER.encode({ magic: Uint8Array.from(MAGIC), size: content.length }));
image.set(content, HEADER.size);

describeDiskModule('the-name', {
  open: () => createDisks({ formats: [theName] }).open(image),
  expected: content,
  skip: { beforeInit: '`createDisks` opens the disk' },
});
