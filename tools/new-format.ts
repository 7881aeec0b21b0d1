// `pnpm new-format NAME [--outside DIR]`: a package for one more format, with a failing test to begin with.
import { main } from './scaffold/main.ts';

main('format');
