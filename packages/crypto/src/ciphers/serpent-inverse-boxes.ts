/** The inverse of each box of `serpent-boxes.ts`: its steps in reverse order. */

export const INVERSE_BOXES: readonly ((x: Int32Array) => void)[] = [
  inverse0,
  inverse1,
  inverse2,
  inverse3,
  inverse4,
  inverse5,
  inverse6,
  inverse7,
];

function inverse0(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 3] as number;
    let c = x[at + 1] as number;
    let d = x[at + 2] as number;
    c ^= a;
    a ^= b & c;
    b ^= a & c;
    a = ~a;
    d ^= b;
    c ^= d;
    b ^= a & c;
    c ^= a;
    a ^= b & d;
    d ^= a;
    x[at] = a;
    x[at + 1] = b;
    x[at + 2] = c;
    x[at + 3] = d;
  }
}

function inverse1(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at + 2] as number;
    let b = x[at + 3] as number;
    let c = x[at + 1] as number;
    let d = x[at] as number;
    c ^= b;
    d ^= b & c;
    b ^= c & d;
    d ^= a;
    c ^= b & d;
    a ^= c;
    b ^= a;
    a = ~a;
    a ^= d;
    c ^= a | b;
    x[at] = a;
    x[at + 1] = b;
    x[at + 2] = c;
    x[at + 3] = d;
  }
}

function inverse2(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at + 3] as number;
    let b = x[at] as number;
    let c = x[at + 2] as number;
    let d = x[at + 1] as number;
    c ^= d;
    a = ~a;
    d ^= a | c;
    a ^= b;
    c ^= a & d;
    b ^= c;
    a ^= b & d;
    b ^= d;
    d ^= a & c;
    x[at] = a;
    x[at + 1] = b;
    x[at + 2] = c;
    x[at + 3] = d;
  }
}

function inverse3(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at + 1] as number;
    let b = x[at] as number;
    let c = x[at + 2] as number;
    let d = x[at + 3] as number;
    a ^= c;
    c ^= a | b | d;
    b ^= a & c;
    d ^= b;
    c ^= d;
    a ^= b | d;
    d ^= b | c;
    b ^= a | d;
    d ^= a | b;
    x[at] = a;
    x[at + 1] = b;
    x[at + 2] = c;
    x[at + 3] = d;
  }
}

function inverse4(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at + 3] as number;
    let b = x[at] as number;
    let c = x[at + 2] as number;
    let d = x[at + 1] as number;
    d ^= (a | c) & b;
    b = ~b;
    c ^= b | d;
    c ^= a;
    b ^= c;
    a ^= b | c;
    c ^= a & d;
    d ^= a & b;
    a ^= d;
    x[at] = a;
    x[at + 1] = b;
    x[at + 2] = c;
    x[at + 3] = d;
  }
}

function inverse5(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at] as number;
    let b = x[at + 2] as number;
    let c = x[at + 1] as number;
    let d = x[at + 3] as number;
    b ^= a & d;
    a ^= b | c;
    b ^= d;
    c ^= b;
    d ^= (a | b) & c;
    b ^= a | d;
    d = ~d;
    a ^= c;
    c ^= a | b;
    x[at] = a;
    x[at + 1] = b;
    x[at + 2] = c;
    x[at + 3] = d;
  }
}

function inverse6(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at + 2] as number;
    let b = x[at + 1] as number;
    let c = x[at] as number;
    let d = x[at + 3] as number;
    d ^= a | c;
    a ^= d;
    c ^= d;
    d ^= b;
    b = ~b;
    d ^= a & c;
    a ^= b | d;
    d ^= a;
    b ^= c;
    c ^= a & d;
    x[at] = a;
    x[at + 1] = b;
    x[at + 2] = c;
    x[at + 3] = d;
  }
}

function inverse7(x: Int32Array): void {
  for (let at = 0; at < x.length; at += 4) {
    let a = x[at + 2] as number;
    let b = x[at] as number;
    let c = x[at + 3] as number;
    let d = x[at + 1] as number;
    a ^= b | c;
    b ^= a | c;
    a ^= b | d;
    a = ~a;
    c ^= a | b;
    d ^= (b | c) & a;
    b ^= d;
    c ^= d;
    d ^= b | c;
    x[at] = a;
    x[at + 1] = b;
    x[at + 2] = c;
    x[at + 3] = d;
  }
}
