import { AUTOCLEAR } from '../../layout/feature-bits.ts';
import { writeHeaderFields } from '../file/header-fields.ts';
import type { WrittenImage } from './commit.ts';

/** qcow2 spec, "autoclear_features": what a writer does not know it clears before it writes. */
export async function clearUnknownAutoclear(written: WrittenImage): Promise<void> {
  const { version, autoclearFeatures } = written.image.header;
  const kept = autoclearFeatures & (AUTOCLEAR.rawExternalData | AUTOCLEAR.bitmaps);
  if (version < 3 || kept === autoclearFeatures) return;
  written.image = await writeHeaderFields(written.file, written.image, { autoclearFeatures: kept });
  await written.file.barrier();
}
