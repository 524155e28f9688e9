import { COMPUTER } from "./computer.ts";
import { testGroup } from "./each.ts";

testGroup(COMPUTER);
