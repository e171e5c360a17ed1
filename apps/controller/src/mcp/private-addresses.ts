import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** The host belongs to this machine or to a private network, which tools may not reach. */
export class PrivateAddress extends Error {
  override readonly name = 'PrivateAddress';
}

const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
// The last two carry an IPv4 address inside, which may be any of the above.
for (const [network, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
  ['64:ff9b::', 96],
  ['2002::', 16],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6');
}

/** Whether an address is of this machine, of its link, of a private network or of none at all. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  return PRIVATE.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Throws PrivateAddress where a URL's host is such an address itself. Names are judged by `publicLookup`. */
export function refusePrivateHost({ hostname }: URL): void {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isPrivateAddress(host)) throw new PrivateAddress(`${host} is a private address`);
}

/** Resolves names to public addresses only. It is the lookup of the connection itself, so no later answer can differ. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, options, (error, address, family) => {
    const all = typeof address === 'string' ? [{ address }] : address;
    const refused = error === null && all.some((one) => isPrivateAddress(one.address));
    callback(refused ? new PrivateAddress(`${hostname} has a private address`) : error, address, family);
  });
};
