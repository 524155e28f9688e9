import { CLOCK } from "./clock.ts";
import { testGroup } from "./each.ts";

testGroup(CLOCK);
