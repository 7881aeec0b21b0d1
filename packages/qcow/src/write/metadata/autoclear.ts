import { AUTOCLEAR } from '../../layout/feature-bits.ts';
import type { ImageState } from './image-state.ts';

/** qcow2 spec, "autoclear_features": a writer clears the bits that it does not know before it writes. */
export async function clearUnknownAutoclear(state: ImageState): Promise<void> {
  const { version, autoclearFeatures } = state.image.header;
  const kept = autoclearFeatures & (AUTOCLEAR.rawExternalData | AUTOCLEAR.bitmaps);
  if (version < 3 || kept === autoclearFeatures) return;
  await state.writeHeader({ autoclearFeatures: kept });
  await state.file.barrier();
}
