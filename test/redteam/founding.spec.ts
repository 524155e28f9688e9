import { testGroup } from "./each.ts";
import { FOUNDING } from "./founding.ts";

testGroup(FOUNDING);
