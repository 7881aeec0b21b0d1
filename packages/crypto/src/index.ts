export { type CipherMode, type CipherSpec, parseMode, sectorCipher } from './cipher-spec.ts';
export {
  formatLuks1,
  type Luks1Format,
  type Luks1Settings,
  luks1PayloadOffset,
  type NewLuks1,
} from './luks1/format.ts';
export { decodeLuks1Header, HEADER_BYTES, type KeySlot, type Luks1Header } from './luks1/header.ts';
export { changeLuks1Slots, type Luks1SlotChange, type Luks1Write } from './luks1/key-slots.ts';
export { type Luks1Volume, unlockLuks1 } from './luks1/unlock.ts';
export { portablePrimitives } from './portable-primitives.ts';
export { platformRandom, type RandomSource } from './random.ts';
export type { SectorCipher } from './sector-cipher.ts';
