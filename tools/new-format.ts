// `pnpm new-format NAME [--outside DIR]`: makes a package for a new format, with a failing test to start from.
import { main } from './scaffold/main.ts';

main('format');
