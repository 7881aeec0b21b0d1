export { type DeclaredVolume, type VolumeMap, type VolumeMapOptions, volumeMap } from './volume-map.ts';
