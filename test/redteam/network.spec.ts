import { testGroup } from "./each.ts";
import { NETWORK } from "./network.ts";

testGroup(NETWORK);
