import { isIPv6 } from 'node:net';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const GROUPS = 8;
/** A network gives its customers at least this many bits to themselves. */
const GROUPS_OF_A_CUSTOMER = 4;

/**
 * What failures of an address are counted under: an IPv4 address as it is, also where it is written as IPv6, and the /64
 * of an IPv6 address, since whoever has one address of it has all of them.
 */
export function addressGroup(address: string): string {
  const bare = address.replace(/%.*$/, '');
  const mapped = MAPPED.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(bare)) return bare;
  const [head = '', tail] = bare.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // An IPv4 address at the end stands for two groups.
  const length = before.length + after.length + (bare.includes('.') ? 1 : 0);
  const groups = tail === undefined ? before : [...before, ...Array<string>(GROUPS - length).fill('0'), ...after];
  const prefix = groups.slice(0, GROUPS_OF_A_CUSTOMER).map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(':')}::/64`;
}
