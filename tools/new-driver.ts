// `pnpm new-driver NAME [--outside DIR]`: a package for one more driver, with a failing test to begin with.
import { main } from './scaffold/main.ts';

main('driver');
