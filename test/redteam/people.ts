/** Attacks by people and by who has their keys: stolen invites, keys and devices, members who want more than their part. */
import type { Group } from "./attack.ts";
import { type Company, closeCompany, openCompany } from "./company.ts";
import { GOVERNANCE } from "./people-governance.ts";
import { KEYS } from "./people-keys.ts";
import { NAMES } from "./people-names.ts";
import { PAIRING } from "./people-pairing.ts";
import { REQUESTS } from "./people-requests.ts";
import { SOCKET } from "./people-socket.ts";

export const PEOPLE: Group<Company> = {
  name: "people and their keys",
  open: openCompany,
  close: closeCompany,
  attacks: [...KEYS, ...PAIRING, ...NAMES, ...REQUESTS, ...GOVERNANCE, ...SOCKET],
};
