import { testGroup } from "./each.ts";
import { LOG } from "./log.ts";

testGroup(LOG);
