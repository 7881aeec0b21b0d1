// `pnpm new-layout NAME [--outside DIR]`: a package for one more layout, with a failing test to begin with.
import { main } from './scaffold/main.ts';

main('layout');
