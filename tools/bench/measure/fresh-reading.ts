// A process that reads an image once: `node fresh-reading.ts IMAGE LENGTH STEP COUNT`. Prints the milliseconds of the reads.
import { reading } from './reading.ts';

const [image = '', length, step, count] = process.argv.slice(2);
console.log(await reading(image, { length: Number(length), step: Number(step), count: Number(count) }));
