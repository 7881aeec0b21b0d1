import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createDisks, type DiskModule, type OpenOptions, type ServiceOptions } from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { type ImageSpec, qcow2Image } from './image-builder.ts';
import { FORMATS } from './open.ts';
import type { TempFolder } from './temp-folder.ts';

/** Header extension that records the format of the base. */
export function backingFormat(name: string) {
  return { type: 0xe2792aca, data: new TextEncoder().encode(name) };
}

/** Makes a folder with files: bytes, or the description of an image. Names may have folders. Returns its path. */
export async function imageFolder(
  temp: TempFolder,
  files: Readonly<Record<string, Uint8Array | ImageSpec>>,
): Promise<string> {
  const folder = await temp.next();
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content instanceof Uint8Array ? content : qcow2Image(content));
  }
  return folder;
}

/** Opens a file as a program with the file driver does. */
export function openPath(
  path: string,
  options: OpenOptions & { readonly services?: Partial<ServiceOptions> } = {},
): Promise<DiskModule> {
  const { services, ...open } = options;
  return createDisks({ formats: FORMATS, drivers: [fileDriver()], ...services }).open(path, open);
}

/** Files below a folder that this process has open now, by Linux's account of it. */
export async function openFilesBelow(folder: string): Promise<readonly string[]> {
  const handles = await readdir('/proc/self/fd');
  const targets = await Promise.all(handles.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(folder));
}
