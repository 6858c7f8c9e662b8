/** IP addresses and ranges of them. */
import { isIP } from 'node:net';

/** An address is the range of itself alone. */
export interface IpRange {
  readonly version: 4 | 6;
  /** The address, in groups of 16 bits. */
  readonly groups: readonly number[];
  /** How many bits count. */
  readonly length: number;
}

const DOT = '.'.charCodeAt(0);
const ZERO = '0'.charCodeAt(0);
const GROUP = 16;
/** IPv4 addresses as IPv6 says them: `::ffff:0:0/96`. */
const MAPPED = [0, 0, 0, 0, 0, 0xffff];
const MAPPED_LENGTH = MAPPED.length * GROUP;

/**
 * Reads an address, or an address with the length of a prefix. IPv4 in the clothes of IPv6 is IPv4. Undefined if it
 * is neither.
 */
export function readIpRange(text: string): IpRange | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const version = isIP(address);
  if (version === 0) return undefined;
  const groups = version === 4 ? groupsOfV4(address) : groupsOfV6(address);
  const most = groups.length * GROUP;
  const length = slash < 0 ? most : prefixLength(text.slice(slash + 1), most);
  if (length === undefined) return undefined;
  if (version === 4) return { version: 4, groups, length };
  if (length >= MAPPED_LENGTH && MAPPED.every((group, index) => groups[index] === group)) {
    return { version: 4, groups: groups.slice(MAPPED.length), length: length - MAPPED_LENGTH };
  }
  return { version: 6, groups, length };
}

/** Whether a range has all of another in it; an IPv4 address is in no range of IPv6. */
export function isWithin(inner: IpRange, outer: IpRange): boolean {
  if (inner.version !== outer.version || inner.length < outer.length) return false;
  for (let bits = outer.length, index = 0; bits > 0; bits -= GROUP, index += 1) {
    const ignored = Math.max(GROUP - bits, 0);
    if ((inner.groups[index] ?? 0) >> ignored !== (outer.groups[index] ?? 0) >> ignored) return false;
  }
  return true;
}

function prefixLength(text: string, most: number): number | undefined {
  return /^\d{1,3}$/.test(text) && Number(text) <= most ? Number(text) : undefined;
}

function groupsOfV4(address: string): number[] {
  let bits = 0;
  let byte = 0;
  for (let at = 0; at < address.length; at += 1) {
    const code = address.charCodeAt(at);
    if (code === DOT) {
      bits = bits * 256 + byte;
      byte = 0;
    } else {
      byte = byte * 10 + code - ZERO;
    }
  }
  bits = bits * 256 + byte;
  return [Math.floor(bits / 65_536), bits % 65_536];
}

function groupsOfV6(address: string): number[] {
  const zone = address.indexOf('%');
  const [head = '', tail] = (zone < 0 ? address : address.slice(0, zone)).split('::');
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** The last two groups may be written as IPv4. */
const groupsOf = (text: string): number[] =>
  text === ''
    ? []
    : text
        .split(':')
        .flatMap((group) => (group.includes('.') ? groupsOfV4(group) : [Number.parseInt(group, 16)]));
