import { testGroup } from "./each.ts";
import { PROOFS } from "./proofs.ts";

testGroup(PROOFS);
