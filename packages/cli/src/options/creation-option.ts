import { Option } from 'commander';
import { repeatable } from './repeatable.ts';

/** `-o` of the commands that make images. */
export function creationOption(): Option {
  return repeatable(
    '-o, --option <key=value,…>',
    'options of the format, as for qemu-img create -o: cluster_size, compat, preallocation …; -o help lists them (repeatable)',
  );
}

/** `-O` of the commands that write a copy. */
export function outputFormatOption(what: 'output' | 'new image' = 'output'): Option {
  return new Option('-O, --output-format <format>', `format of the ${what}`).default('raw');
}
