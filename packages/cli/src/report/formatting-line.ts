import type { ImageOption, OptionValue } from '@diskstack/core';
import { allOptionsOf, type CreationOptions } from '../image-options/creation-options.ts';
import { escapeUnsafe } from '../terminal/safe-text.ts';

/** The line that qemu-img prints before it makes an image. */
export function formattingLine(
  image: string,
  size: number,
  options: CreationOptions,
  backing: { readonly name: string; readonly format: string | undefined } | undefined,
): string {
  const { format, creation, values, file, given } = options;
  const words = Object.entries(allOptionsOf(creation)).flatMap(([name, option]) => {
    const value = shown(name, option);
    return value === undefined ? [] : [`${name}=${value}`];
  });
  return escapeUnsafe([`Formatting '${image}', fmt=${format}`, ...words].join(' '));

  /** A size is shown in bytes, a value that is given as it was given. */
  function shown(name: string, option: ImageOption): string | undefined {
    switch (option.type) {
      case 'virtual-size':
        return String(size);
      case 'backing-file':
        return backing?.name;
      case 'backing-format':
        return backing?.format;
      case 'size':
        return textOf((name === 'extent_size_hint' ? file.extentSizeHint : values[name]) ?? option.default);
      default:
        return given.get(name) ?? textOf(option.default);
    }
  }
}

function textOf(value: OptionValue | undefined): string | undefined {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return value === undefined ? undefined : String(value);
}
