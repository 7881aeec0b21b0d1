export { raw } from './format.ts';
