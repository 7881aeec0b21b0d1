/** The layout of one row (stripe) of a RAID set with parity: which image holds which chunk. */
export interface RaidRow {
  /** The image with the parity P. */
  readonly p: number;
  /** The image with the parity Q; -1 if the level has none. */
  readonly q: number;
  /** The image with data chunk number `index` of the row. */
  readonly data: (index: number) => number;
  /** The power of the generator by which Q multiplies the data of an image. */
  readonly exponent: (image: number) => number;
}

type Layout = (row: number, images: number) => RaidRow;

const NO_Q = -1;

/** "Symmetric" layouts: the data starts after the parity and wraps around. */
const symmetric =
  (row: { p: number; q: number }, ring: number) =>
  (index: number): number =>
    (row.p + 1 + index) % ring;
/** "Asymmetric" layouts: the data is in the order of the images, without the one that has the parity. */
const asymmetric =
  (p: number) =>
  (index: number): number =>
    index >= p ? index + 1 : index;

/** Linux `drivers/md/raid5.c`, `raid5_compute_sector`, level 5. */
function raid5(p: (row: number, images: number) => number, isSymmetric: boolean): Layout {
  return (row, images) => {
    const parity = p(row, images);
    const data = isSymmetric ? symmetric({ p: parity, q: NO_Q }, images) : asymmetric(parity);
    return { p: parity, q: NO_Q, data, exponent: (image) => image };
  };
}

/** The same function, level 6, layouts from the DDF specification: Q is next to P, and the exponent is the image number. */
function raid6Ddf(p: (row: number, images: number) => number, isContinued: boolean): Layout {
  return (row, images) => {
    const parity = p(row, images);
    const exponent = (image: number): number => image;
    if (isContinued) {
      const q = (parity + images - 1) % images;
      return { p: parity, q, data: symmetric({ p: parity, q }, images), exponent };
    }
    const q = (parity + 1) % images;
    const data = (index: number): number =>
      parity === images - 1 ? index + 1 : index >= parity ? index + 2 : index;
    return { p: parity, q, data, exponent };
  };
}

/** The same function, level 6, RAID 5 layouts with Q on the last image: the result of converting RAID 5 to RAID 6. */
function raid6WithLast(base: Layout): Layout {
  return (row, images) => {
    const q = images - 1;
    const { p, data } = base(row, q);
    return { p, q, data, exponent: (image) => (image > p ? image - 1 : image) };
  };
}

const left = (row: number, images: number): number => images - 1 - (row % images);
const right = (row: number, images: number): number => row % images;
const first = (): number => 0;
const last = (_row: number, images: number): number => images - 1;

const raid5La = raid5(left, false);
const raid5Ra = raid5(right, false);
const raid5Ls = raid5(left, true);
const raid5Rs = raid5(right, true);
const raid5N = raid5(last, false);
const raid5First = raid5(first, false);

/** Layouts with one parity, by the segment types of lvm2. */
export const RAID5_LAYOUTS: ReadonlyMap<string, Layout> = new Map([
  ['raid4', raid5First],
  ['raid5', raid5Ls],
  ['raid5_ls', raid5Ls],
  ['raid5_la', raid5La],
  ['raid5_rs', raid5Rs],
  ['raid5_ra', raid5Ra],
  ['raid5_n', raid5N],
]);

const raid6Zr = raid6Ddf(right, false);

/** Layouts with two parities, by the segment types of lvm2. */
export const RAID6_LAYOUTS: ReadonlyMap<string, Layout> = new Map([
  ['raid6', raid6Zr],
  ['raid6_zr', raid6Zr],
  ['raid6_nr', raid6Ddf((row, images) => images - 1 - ((row + 1) % images), false)],
  ['raid6_nc', raid6Ddf(left, true)],
  ['raid6_n_6', raid6WithLast(raid5N)],
  ['raid6_ls_6', raid6WithLast(raid5Ls)],
  ['raid6_la_6', raid6WithLast(raid5La)],
  ['raid6_rs_6', raid6WithLast(raid5Rs)],
  ['raid6_ra_6', raid6WithLast(raid5Ra)],
]);
