/** `@diskstack/core/volumes`: the API for authors of volume layouts and volume managers. */

export type {
  LayoutContext,
  LayoutMember,
  Volume,
  VolumeIo,
  VolumeKind,
  VolumeLayout,
  VolumeSet,
} from './contracts/volume-layout.ts';
export type { FoundVolume, VolumeManager } from './contracts/volume-manager.ts';
export { decodeStep, encodeStep } from './volumes/layer-path.ts';
export { canonicalVolumePath } from './volumes/volume-path.ts';
