/** The Ledger library uses `Buffer` while it is being loaded, so this has to be imported before it. */

import { Buffer } from "buffer/";

Object.assign(globalThis, { Buffer });
