import type { SnapshotInfo } from '@diskstack/core';
import { shown } from '../terminal/safe-text.ts';
import { humanBytes } from '../values/byte-size.ts';

/** A snapshot with the keys of `qemu-img info --output json`; the last one is ours. */
export interface SnapshotReport {
  readonly id: string;
  readonly name: string;
  readonly 'vm-state-size': number | bigint;
  readonly 'date-sec': number;
  readonly 'date-nsec': number;
  readonly 'vm-clock-sec': number;
  readonly 'vm-clock-nsec': number;
  readonly icount?: number;
  /** Guest bytes of the disk when the snapshot was taken. */
  readonly 'disk-size': number | bigint;
}

export function snapshotReport(snapshot: SnapshotInfo): SnapshotReport {
  return {
    id: snapshot.id,
    name: snapshot.name,
    'vm-state-size': snapshot.vmStateSize,
    'date-sec': snapshot.dateSec,
    'date-nsec': snapshot.dateNsec,
    'vm-clock-sec': snapshot.vmClockSec,
    'vm-clock-nsec': snapshot.vmClockNsec,
    ...(snapshot.icount !== undefined && { icount: snapshot.icount }),
    'disk-size': snapshot.diskSize,
  };
}

/** The lines of `qemu-img snapshot -l`. */
export function snapshotTable(snapshots: readonly SnapshotReport[]): string[] {
  const head = `${'ID'.padEnd(10)}${'TAG'.padEnd(17)}${cells('VM SIZE', 'DATE', 'VM CLOCK', 'ICOUNT')}`;
  return ['Snapshot list:', head, ...snapshots.map(row)];
}

function row(snapshot: SnapshotReport): string {
  const { id, name, 'vm-state-size': size, icount } = snapshot;
  const values = cells(humanBytes(Number(size)), dateOf(snapshot), clockOf(snapshot), String(icount ?? ''));
  return `${shown(id).padEnd(9)} ${shown(name).padEnd(16)} ${values}`;
}

function cells(size: string, date: string, clock: string, icount: string): string {
  return size.padStart(8) + date.padStart(20) + clock.padStart(13) + icount.padStart(11);
}

/** In the local time zone. */
function dateOf({ 'date-sec': seconds }: SnapshotReport): string {
  const date = new Date(seconds * 1000);
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

function clockOf({ 'vm-clock-sec': seconds, 'vm-clock-nsec': nanoseconds }: SnapshotReport): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two);
  return `${parts.join(':')}.${String(Math.floor(nanoseconds / 1e6)).padStart(3, '0')}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
