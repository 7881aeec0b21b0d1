import { FEATURE_NAMES_ABOVE, featureNameTable, INCOMPATIBLE } from '../../layout/feature-bits.ts';
import { HEADER_V2, HEADER_V3_BYTES, type Header } from '../../layout/header.ts';
import { EXTENSION_TYPE, type NewExtension } from '../../layout/header-extension.ts';
import { writeHead } from '../metadata/head.ts';
import type { ImageState } from '../metadata/image-state.ts';

/** Writes the header of another version. The image must not use anything that this version lacks. */
export async function writeVersion(state: ImageState, version: 2 | 3): Promise<void> {
  const { image } = state;
  const header: Header = {
    ...image.header,
    version,
    headerLength: version === 2 ? HEADER_V2.size : HEADER_V3_BYTES,
    incompatibleFeatures: image.header.incompatibleFeatures & ~INCOMPATIBLE.dirty,
    ...(version === 2 ? { compatibleFeatures: 0n, autoclearFeatures: 0n } : {}),
  };
  const kept: readonly NewExtension[] = image.extensions.filter(
    ({ type }) => type !== EXTENSION_TYPE.featureNameTable,
  );
  const hasNames = version === 3 && image.geometry.clusterSize > FEATURE_NAMES_ABOVE;
  const names = { type: EXTENSION_TYPE.featureNameTable, data: featureNameTable() };
  const head = {
    extensions: hasNames ? [...kept, names] : kept,
    name: image.backing?.name ?? new Uint8Array(),
  };
  await writeHead(state, head, header);
}
