// `pnpm new-driver NAME [--outside DIR]`: makes a package for a new driver, with a failing test to start from.
import { main } from './scaffold/main.ts';

main('driver');
