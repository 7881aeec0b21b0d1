import { DiskError, type DiskModule, quote } from '@diskstack/core';
import { defineDisk, type StorageDriver, urlNames } from '@diskstack/core/format';
import { type Client, client } from './client.ts';

/** Opens `the-name://server/path`, read-only. */
export function theName(server: Client = client): StorageDriver {
  return {
    ...urlNames('the-name'),
    open: (location) => remoteDisk(server, location),
    kind: async (location) => ((await server.size(location)) === undefined ? 'missing' : 'file'),
    canonical: async (location) => ((await server.size(location)) === undefined ? undefined : location),
    identity: async (location) => location,
  };
}

/** One object of a server. `CachedDisk` of core around it saves requests where each is slow. */
function remoteDisk(server: Client, location: string): DiskModule {
  let size = 0;
  return defineDisk({
    location,
    async init(io) {
      const found = await server.size(location, io);
      if (found === undefined) throw new DiskError('ERR_NOT_FOUND', `${quote(location)} is not there`);
      size = found;
    },
    size: () => size,
    readInto: (offset, into, io) => server.read(location, offset, into, io),
  });
}
