// `pnpm new-layout NAME [--outside DIR]`: makes a package for a new layout, with a failing test to start from.
import { main } from './scaffold/main.ts';

main('layout');
