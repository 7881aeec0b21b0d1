// Opens a QCOW2 overlay whose backing disk is a logical volume. All services come from a tsyringe container.
import 'reflect-metadata';
import { describeStack, drawStack } from '@diskstack/core';
import { DISK_FORMAT, DISKS, registerDisks, STORAGE_DRIVER, VOLUME_MANAGER } from '@diskstack/core/di';
import { FileDisk, fileDriver } from '@diskstack/core/node';
import { volumeMap } from '@diskstack/lvm-stub';
import { qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { container } from 'tsyringe';

const image = (name: string): string => new URL(`../../images/${name}`, import.meta.url).pathname;

// The composition root: the only place that knows the container. A real program would have its own VolumeManager.
const services = container.createChildContainer();
services.register(DISK_FORMAT, { useValue: raw });
services.register(DISK_FORMAT, { useValue: qcow2 });
services.register(STORAGE_DRIVER, { useValue: fileDriver() });
await using volumes = volumeMap({ '/dev/mapper/vg0-golden': () => new FileDisk(image('lv-golden.img')) });
services.register(VOLUME_MANAGER, { useValue: volumes });
registerDisks(services);

await using disk = await services.resolve(DISKS).open(image('overlay.qcow2'));
const first = (await disk.read(0, 1))[0]; // read from the volume
const own = (await disk.read(32 * 1024, 1))[0]; // stored in the overlay
console.log(`0x${first?.toString(16)} 0x${own?.toString(16)}`);
console.log(drawStack(describeStack(disk)).replaceAll(image(''), ''));
