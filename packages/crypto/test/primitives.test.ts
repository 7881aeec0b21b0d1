import { describe, expect, test } from 'vitest';
import { EACH_PRIMITIVES, fromHex } from './support/primitives.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The digest of "abc": RFC 1321, the RIPEMD-160 page, FIPS 180-4. */
const DIGESTS = [
  ['md5', '900150983cd24fb0d6963f7d28e17f72'],
  ['ripemd160', '8eb208f7e05d987a9b044a8e98c6b087f15a0bfc'],
  ['sha1', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ['sha224', '23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7'],
  ['sha256', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'sha384',
    'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
  ],
  [
    'sha512',
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  ],
] as const;

/** RFC 6070, and the same passwords with SHA-256. */
const DERIVED = [
  ['sha1', 'password', 'salt', 1, '0c60c80f961f0e71f3a9b524af6012062fe037a6'],
  ['sha1', 'password', 'salt', 4096, '4b007901b765489abead49d926f721d065a429c1'],
  [
    'sha1',
    'passwordPASSWORDpassword',
    'saltSALTsaltSALTsaltSALTsaltSALTsalt',
    4096,
    '3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038',
  ],
  ['sha1', 'pass\0word', 'sa\0lt', 4096, '56fa6aa75548099dcc37d7f03425e0c3'],
  ['sha256', 'password', 'salt', 1, '120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b'],
  ['sha256', 'password', 'salt', 4096, 'c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a'],
] as const;

describe.each(EACH_PRIMITIVES)('%s', (_, primitives) => {
  test.each(DIGESTS)('%s of "abc" is the published digest', (name, digest) => {
    const hash = primitives.hash(name);
    expect(hash?.digest(ascii('abc'))).toSatisfy(
      (bytes: Uint8Array) => Buffer.from(bytes).toString('hex') === digest,
    );
    expect(hash?.bytes).toBe(digest.length / 2);
  });

  test.each(['', 'whirlpool', 'toString', '__proto__', 'SHA256 '])('the hash %j is not there', (name) => {
    expect(primitives.hash(name)).toBeUndefined();
  });

  test.each(DERIVED)(
    'PBKDF2 with %s of %j, salt %j, %i times',
    async (hash, password, salt, iterations, key) => {
      const expected = fromHex(key);
      const request = {
        hash,
        password: ascii(password),
        salt: ascii(salt),
        iterations,
        length: expected.length,
      };
      expect(Uint8Array.from(await primitives.pbkdf2(request))).toEqual(expected);
    },
  );
});
