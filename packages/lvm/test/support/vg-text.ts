import { type ConfigSection, parseConfig } from '../../src/index.ts';
import { fixtureText } from './fixtures.ts';

function child(section: ConfigSection | undefined, key: string): ConfigSection | undefined {
  return section?.nodes.find((node): node is ConfigSection => node.key === key && 'nodes' in node);
}

function value(section: ConfigSection | undefined, key: string): unknown {
  const node = section?.nodes.find((one) => one.key === key);
  return node !== undefined && 'value' in node ? node.value : undefined;
}

/** The byte of its physical volume at which a linear volume of `lvm-alltypes` starts. */
export function physicalPlace(name: string): number {
  const [group] = parseConfig(fixtureText('lvm-alltypes', 'vg.txt')).nodes;
  const volumes = child(group as ConfigSection, 'logical_volumes');
  const stripes = value(child(child(volumes, name), 'segment1'), 'stripes') as readonly [string, bigint];
  return 1024 * 1024 * (1 + Number(stripes[1]));
}
