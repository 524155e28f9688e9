import { expect, test } from "vitest";
import { remoteOf } from "./remote.ts";

const PROXY = "10.0.0.1";
const of = (trusted: number, ...forwardedFor: string[]) => remoteOf({ remoteAddress: PROXY, forwardedFor }, trusted);

test.each([
  ["not configured, it is not looked at", 0, ["203.0.113.7"], PROXY],
  ["one proxy: the last", 1, ["203.0.113.7"], "203.0.113.7"],
  ["what a client wrote before it counts for nothing", 1, ["198.51.100.1, 203.0.113.7"], "203.0.113.7"],
  ["nor does a header of its own", 1, ["198.51.100.1", "203.0.113.7"], "203.0.113.7"],
  ["two proxies: the one before the last", 2, ["198.51.100.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"],
  ["two proxies, a header each", 2, ["203.0.113.7", "10.0.0.2"], "203.0.113.7"],
  ["fewer than there are proxies", 2, ["203.0.113.7"], PROXY],
  ["no header", 1, [], PROXY],
  ["an empty one", 1, [""], PROXY],
  ["no address", 1, ["203.0.113.7, unknown"], PROXY],
  ["something for the log", 1, ['203.0.113.7"} {"level":30'], PROXY],
  ["a host name", 1, ["client.example.com"], PROXY],
])("%s", (_, trusted, header, expected) => {
  expect(of(trusted, ...header)).toBe(expected);
});

test.each([
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:0001:2::", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["1::", "1:0:0:0::/64"],
  ["0:0:1:2:0:0:0:0", "0:0:1:2::/64"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["fe80::1%eth0", "fe80::1%eth0"],
])("of an IPv6 address its network: %s", (address, expected) => {
  expect(of(1, address)).toBe(expected);
  expect(remoteOf({ remoteAddress: address, forwardedFor: undefined }, 0)).toBe(expected);
});

test("a socket that is gone", () => {
  expect(remoteOf({ remoteAddress: undefined, forwardedFor: undefined }, 1)).toBe("");
});
