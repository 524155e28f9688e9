/**
 * Attacks by the computer of one approver: malware in the browser's profile, in its pages, on USB and on Suite's port, while enrolling
 * too; web pages in that browser; a copied and a lost profile. The extension is the built one; simulated are the devices only.
 */
import type { Group } from "./attack.ts";
import { DEVICES } from "./computer-device.ts";
import { ENROLLING } from "./computer-enrol.ts";
import { EXPORTS } from "./computer-export.ts";
import { KEYS } from "./computer-keys.ts";
import { PAGES } from "./computer-page.ts";
import { PROFILES } from "./computer-profile.ts";
import { RECORDS } from "./computer-records.ts";
import { SUITES } from "./computer-suite.ts";
import { Workplace } from "./computer-workplace.ts";

export const COMPUTER: Group<Workplace> = {
  name: "one approver's computer",
  open: async () => await Workplace.open(),
  close: async (place) => {
    try {
      await place.requireHonest();
    } finally {
      await place.end();
    }
  },
  // The last ones take Alice's browser from her, and give her another.
  attacks: [...EXPORTS, ...DEVICES, ...SUITES, ...KEYS, ...RECORDS, ...PAGES, ...ENROLLING, ...PROFILES],
};
