/**
 * The substitution boxes of Serpent as logic on words. Bit i of the four words of `x` is one input of four bits; the first
 * word has the lowest bit. The steps were found by search. Each step is invertible, so `serpent-inverse-boxes.ts` has the
 * same steps in reverse order.
 */

export const BOXES: readonly ((x: Int32Array) => void)[] = [box0, box1, box2, box3, box4, box5, box6, box7];

function box0(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 1] as number;
    let c = x[at + 2] as number;
    let d = x[at + 3] as number;
    d ^= a;
    a ^= b & d;
    c ^= a;
    b ^= a & c;
    c ^= d;
    d ^= b;
    a = ~a;
    b ^= a & c;
    a ^= b & c;
    c ^= a;
    x[at] = a;
    x[at + 1] = c;
    x[at + 2] = d;
    x[at + 3] = b;
  }
}

function box1(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 1] as number;
    let c = x[at + 2] as number;
    let d = x[at + 3] as number;
    c ^= a | b;
    a ^= d;
    a = ~a;
    b ^= a;
    a ^= c;
    c ^= b & d;
    d ^= a;
    b ^= c & d;
    d ^= b & c;
    c ^= b;
    x[at] = d;
    x[at + 1] = c;
    x[at + 2] = a;
    x[at + 3] = b;
  }
}

function box2(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 1] as number;
    let c = x[at + 2] as number;
    let d = x[at + 3] as number;
    d ^= a & c;
    b ^= d;
    a ^= b & d;
    b ^= c;
    c ^= a & d;
    a ^= b;
    d ^= a | c;
    a = ~a;
    c ^= d;
    x[at] = b;
    x[at + 1] = d;
    x[at + 2] = c;
    x[at + 3] = a;
  }
}

function box3(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 1] as number;
    let c = x[at + 2] as number;
    let d = x[at + 3] as number;
    d ^= a | b;
    b ^= a | d;
    d ^= b | c;
    a ^= b | d;
    c ^= d;
    d ^= b;
    b ^= a & c;
    c ^= a | b | d;
    a ^= c;
    x[at] = b;
    x[at + 1] = a;
    x[at + 2] = c;
    x[at + 3] = d;
  }
}

function box4(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 1] as number;
    let c = x[at + 2] as number;
    let d = x[at + 3] as number;
    a ^= d;
    d ^= a & b;
    c ^= a & d;
    a ^= b | c;
    b ^= c;
    c ^= a;
    c ^= b | d;
    b = ~b;
    d ^= (a | c) & b;
    x[at] = b;
    x[at + 1] = d;
    x[at + 2] = c;
    x[at + 3] = a;
  }
}

function box5(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 1] as number;
    let c = x[at + 2] as number;
    let d = x[at + 3] as number;
    c ^= a | b;
    a ^= c;
    d = ~d;
    b ^= a | d;
    d ^= (a | b) & c;
    c ^= b;
    b ^= d;
    a ^= b | c;
    b ^= a & d;
    x[at] = a;
    x[at + 1] = c;
    x[at + 2] = b;
    x[at + 3] = d;
  }
}

function box6(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 1] as number;
    let c = x[at + 2] as number;
    let d = x[at + 3] as number;
    c ^= a & d;
    b ^= c;
    d ^= a;
    a ^= b | d;
    d ^= a & c;
    b = ~b;
    d ^= b;
    c ^= d;
    a ^= d;
    d ^= a | c;
    x[at] = c;
    x[at + 1] = b;
    x[at + 2] = a;
    x[at + 3] = d;
  }
}

function box7(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 1] as number;
    let c = x[at + 2] as number;
    let d = x[at + 3] as number;
    d ^= b | c;
    c ^= d;
    b ^= d;
    d ^= (b | c) & a;
    c ^= a | b;
    a = ~a;
    a ^= b | d;
    b ^= a | c;
    a ^= b | c;
    x[at] = b;
    x[at + 1] = d;
    x[at + 2] = a;
    x[at + 3] = c;
  }
}
