import { DiskError, quote, type SnapshotChoice } from '@diskstack/core';

/**
 * Parses the value of `-l` and `--snapshot`: an id or a name, or `snapshot.id=ID,snapshot.name=NAME` with one or both. A
 * comma in a value is doubled, as in every list of qemu-img.
 */
export function parseSnapshotChoice(text: string): SnapshotChoice {
  if (!text.startsWith('snapshot.')) return text;
  const choice: { id?: string; name?: string } = {};
  for (const part of text.match(/(?:[^,]|,,)+/g) ?? []) {
    const [, key, value = ''] = /^snapshot\.(id|name)=(.*)$/s.exec(part) ?? [];
    if (key !== 'id' && key !== 'name')
      throw new DiskError(
        'ERR_ARGUMENT',
        `a snapshot is snapshot.id=ID, snapshot.name=NAME or both, not ${quote(part)}`,
      );
    choice[key] = value.replaceAll(',,', ',');
  }
  return choice;
}
