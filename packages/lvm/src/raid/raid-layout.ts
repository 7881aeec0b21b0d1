/** Where the chunks of one row of a RAID set with parity are, as numbers of images. */
export interface RaidRow {
  /** Of the parity P. */
  readonly p: number;
  /** Of the parity Q; -1 in a set without one. */
  readonly q: number;
  /** Of data chunk number `index` of the row. */
  readonly data: (index: number) => number;
  /** The power of the generator that Q weighs an image with. */
  readonly exponent: (image: number) => number;
}

type Layout = (row: number, images: number) => RaidRow;

const NO_Q = -1;

/** Data after the parity, around the end. */
const symmetric =
  (row: { p: number; q: number }, ring: number) =>
  (index: number): number =>
    (row.p + 1 + index) % ring;
/** Data in order, with the parity left out. */
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

/** The same function, level 6, layouts that MD has taken from DDF: Q is next to P, and weighs images by their number. */
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

/** The same function, level 6, layouts of RAID 5 with Q on the last image: what a RAID 5 set becomes when Q is added. */
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

/** Layouts by the segment types of lvm2. */
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
