import { DiskError, type Io } from '@diskstack/core';

/** What the driver asks of a server. Any error that it throws reaches the caller as a `DiskError`. */
export interface Client {
  /** Size of the object in bytes; `undefined` if there is none. */
  size(location: string, io?: Io): Promise<number | undefined>;
  /** Fills all of `into` with the bytes at `offset`. */
  read(location: string, offset: number, into: Uint8Array, io: Io): Promise<void>;
}

/** The client of the-name servers. */
export const client: Client = {
  async size(location) {
    throw new DiskError('ERR_UNSUPPORTED', `the-name: the size of ${location} is not read yet`);
  },
  async read(location) {
    throw new DiskError('ERR_UNSUPPORTED', `the-name: the bytes of ${location} are not read yet`);
  },
};
