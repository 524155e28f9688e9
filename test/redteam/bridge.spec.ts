import { BRIDGE } from "./bridge.ts";
import { testGroup } from "./each.ts";

testGroup(BRIDGE);
