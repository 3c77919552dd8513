import { lookup, type LookupAddress, type LookupOptions } from "node:dns";
import { BlockList, isIP } from "node:net";
import { AppError } from "@whittle/contracts";

/** Addresses that are not reached from the public Internet. */
const privateAddresses = new BlockList();
for (const [net, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const)
  privateAddresses.addSubnet(net, bits, "ipv4");
for (const [net, bits] of [
  ["::", 127],
  ["64:ff9b::", 96],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  privateAddresses.addSubnet(net, bits, "ipv6");

/**
 * Refuses a webhook that goes elsewhere than to the listed hosts.
 * @param hosts names, `*.name` for all below a name, and addresses.
 * @param at the field that the URL is in.
 * @throws AppError `invalid_request`.
 */
export function checkDestination(url: string, hosts: string[], at = "webhook.url"): void {
  const host = hostOf(url);
  if (hosts.some((listed) => listed === host || (listed.startsWith("*.") && host.endsWith(listed.slice(1))))) return;
  const allowed = hosts.length === 0 ? "none is" : `these are: ${hosts.join(", ")}`;
  const message = `${host} is not a host that webhooks may go to; ${allowed} (WHITTLE_WEBHOOK_HOSTS)`;
  throw new AppError("invalid_request", `${at}: ${message}`, { issues: [{ path: at, message }] });
}

/** A URL's host, without port and brackets, in small letters. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "").toLowerCase();
}

type Callback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/**
 * As dns.lookup, for use by a request at the moment when it connects: a name that stands for a private address is refused, unless that
 * address is listed itself. (An address in the URL is not looked up; {@link checkDestination} has found it in the list.)
 */
export function lookupListed(hosts: string[]) {
  return (name: string, options: LookupOptions, callback: Callback): void => {
    lookup(name, { ...options, all: true }, (error, found) => {
      const refused = found?.find(({ address }) => isPrivate(address) && !hosts.includes(address));
      if (error || refused) return callback(error ?? privateDestination(name, refused?.address), []);
      if (options.all) return callback(null, found);
      const [first] = found;
      callback(null, first?.address ?? "", first?.family);
    });
  };
}

function privateDestination(name: string, address = ""): AppError {
  const message = `${name} stands for ${address}, which is private and not itself in WHITTLE_WEBHOOK_HOSTS`;
  return new AppError("invalid_request", message);
}

export function isPrivate(address: string): boolean {
  return privateAddresses.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}
